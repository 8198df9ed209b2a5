"""live.py as a process of its own: start-up time, memory, and whether memory grows.

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
from support.cli import ROOT

LIVE = (sys.executable, "live.py", "--source", "sample", "--no-show")
IMPORTS = (sys.executable, "-c", "import torch, cv2")
SETTLED = 100  # frames after which memory should not grow any more
EVERY = 5  # frames between two readings of the memory
TIME = re.compile(r"\s*(\d+\.\d+) s  ")  # a prediction's line on stdout begins with the frame's time
STATUS = re.compile(r"^(VmRSS|VmHWM):\s+(\d+) kB", re.MULTILINE)
MB = 1.024e-3  # in a KiB


def start_up(flags: Sequence[str] = (), *, clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    """Seconds in which a process predicts and explains one frame of the sample, beside those of the imports alone.

    first_s: the first run, which may read from a cold disk. live_s, imports_s: medians of three further runs.
    ratio: one over the other. clock: gives seconds.
    """
    first_frame = [*LIVE, "--max-frames", "1", "--quiet", *flags]

    def seconds_of(command: Sequence[str]) -> float:
        started = clock()
        output_of(command)
        return clock() - started

    first_s = seconds_of(first_frame)
    seconds_of(IMPORTS)  # a warm-up
    pairs = [(seconds_of(first_frame), seconds_of(IMPORTS)) for _ in range(3)]
    live_s, imports_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {"first_s": first_s, "live_s": live_s, "imports_s": imports_s, "ratio": live_s / imports_s}


def memory(flags: Sequence[str] = (), *, frames: int = 300) -> dict[str, float | None] | None:
    """Resident memory in MB (10^6 bytes) of live.py over `frames` frames of the sample; None where /proc is missing.

    peak_mb: the highest at any moment. end_mb: the last reading. growth_mb: since frame 100, see `timing.growth`.
    """
    if not Path("/proc/self/status").exists():
        return None
    readings: list[tuple[int, float]] = []
    peaks_mb: list[float] = []

    def read_memory(pid: int, line: str) -> None:
        prediction = TIME.match(line)
        frame = round(float(prediction[1]) * FPS) if prediction else -1
        if prediction and (not readings or frame >= readings[-1][0] + EVERY):
            kib = dict(STATUS.findall(Path(f"/proc/{pid}/status").read_text()))
            if kib:  # a process that has just ended has no memory any more
                peaks_mb.append(int(kib["VmHWM"]) * MB)
                readings.append((frame, int(kib["VmRSS"]) * MB))

    output_of([*LIVE, "--max-frames", str(frames), *flags], on_line=read_memory)
    return {
        "frames": frames,
        "peak_mb": max(peaks_mb),
        "end_mb": readings[-1][1],
        "growth_mb": growth(readings, since=SETTLED),
    }


def output_of(
    command: Sequence[str],
    *,
    without: Collection[str] = (),
    on_line: Callable[[int, str], object] = lambda pid, line: None,
) -> str:
    """The stdout of a command, run in the project's folder; `UserError` where it fails.

    without: environment variables that it does not get. on_line: gets the process's number and each line at once.
    """
    kept = {name: value for name, value in os.environ.items() if name not in without}
    lines = []
    with tempfile.TemporaryFile("w+") as stderr:  # a pipe that nobody reads could fill
        with subprocess.Popen(
            command, cwd=ROOT, env=kept | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process:
            try:
                for line in process.stdout or ():
                    lines.append(line)
                    on_line(process.pid, line)
            except BaseException:  # such as Ctrl-C
                process.kill()
                process.wait()
                raise
        stderr.seek(0)
        last = (stderr.read().strip().splitlines() or ["nothing"])[-1]
    if code := process.returncode:
        raise UserError(f"`{' '.join(command)}` ended with exit code {code} and said: {last}", exit_code=FAILED)
    return "".join(lines)
