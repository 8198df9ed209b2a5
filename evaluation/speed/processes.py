"""live.py as a process of its own: how soon it is there, how much memory it takes and whether that grows.

In:  further flags of live.py; a number of frames.
Out: plain values for benchmark.json.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from data.sources.sample import FPS
from evaluation.speed.timing import growth
from support import FAILED, UserError

ROOT = Path(__file__).parents[2]
LIVE = (sys.executable, "live.py", "--source", "sample", "--no-show")
IMPORTS = (sys.executable, "-c", "import torch, cv2")
SETTLED = 100  # frames after which memory should not grow any more
EVERY = 5  # frames between two readings of the memory
TIME = re.compile(r"\s*(\d+\.\d+) s  ")  # a prediction's line on stdout begins with the frame's time
STATUS = re.compile(r"^(VmRSS|VmHWM):\s+(\d+) kB", re.MULTILINE)
MB = 1.024e-3  # in a KiB


def start_up(flags: Sequence[str] = (), *, repeats: int = 3) -> dict[str, float]:
    """Seconds that a process takes to read and explain one frame of the sample, beside those of the imports alone.

    first_s: the first run, which may have to make engines or read a cold disk. live_s, imports_s: medians of
    `repeats` further runs. ratio: one over the other.
    """
    first = [*LIVE, "--max-frames", "1", "--quiet", *flags]
    first_s = _seconds(first)
    _seconds(IMPORTS)
    pairs = [(_seconds(first), _seconds(IMPORTS)) for _ in range(repeats)]
    live_s, imports_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {"first_s": first_s, "live_s": live_s, "imports_s": imports_s, "ratio": live_s / imports_s}


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    output_of(command)
    return time.perf_counter() - started


def output_of(command: Sequence[str], *, without: Collection[str] = ()) -> str:
    """What a command prints on stdout, run in the project's folder; `UserError` where it fails.

    without: variables of the environment that it does not get.
    """
    environment = {name: value for name, value in os.environ.items() if name not in without}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    _refuse_failure(command, done.returncode, done.stderr)
    return done.stdout


def _refuse_failure(command: Sequence[str], code: int, said: str) -> None:
    if code:
        last = (said.strip().splitlines() or ["nothing"])[-1]
        raise UserError(f"`{' '.join(command)}` ended with exit code {code} and said: {last}", exit_code=FAILED)


def memory(flags: Sequence[str] = (), *, frames: int = 300) -> dict[str, float | int | None] | None:
    """Resident memory in MB (10^6 bytes) of live.py over `frames` frames of the sample; None where /proc is missing.

    peak_mb: the highest at any moment. end_mb: the last reading. growth_mb: since frame 100, see `timing.growth`.
    """
    if not Path("/proc/self/status").exists():
        return None
    readings: list[tuple[int, float]] = []
    peak_mb = 0.0

    def read(pid: int, frame: int) -> None:
        nonlocal peak_mb
        if not readings or frame >= readings[-1][0] + EVERY:
            kib = dict(STATUS.findall(Path(f"/proc/{pid}/status").read_text()))
            if kib:  # a process that has just ended has no memory any more
                peak_mb = int(kib["VmHWM"]) * MB
                readings.append((frame, int(kib["VmRSS"]) * MB))

    _watched([*LIVE, "--max-frames", str(frames), *flags], read)
    return {
        "frames": frames,
        "peak_mb": peak_mb,
        "end_mb": readings[-1][1],
        "growth_mb": growth(readings, since=SETTLED),
    }


def _watched(command: Sequence[str], look: Callable[[int, int], None]) -> None:
    """Run live.py and call `look(pid, frame)` with each prediction that it prints."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}  # lines come when they are printed
    with tempfile.TemporaryFile("w+") as said:  # a pipe that nobody reads could fill
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=said, text=True
        ) as process:
            for line in process.stdout:
                if found := TIME.match(line):
                    look(process.pid, round(float(found[1]) * FPS))
        said.seek(0)
        _refuse_failure(command, process.returncode, said.read())
