"""live.py as a process: seconds by an injected clock, megabytes of processes whose memory is known."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from evaluation.speed import processes
from evaluation.speed.processes import IMPORTS, LIVE, memory, output_of, start_up
from support import UserError


def test_start_up_is_one_process_beside_another(monkeypatch):
    now_s, seconds = 0.0, iter([9.0, 7.0, 4.0, 2.0, 6.0, 2.5, 5.0, 1.0])  # live and imports in turn
    commands = []

    def run(command) -> str:
        nonlocal now_s
        commands.append(command)
        now_s += next(seconds)
        return ""

    monkeypatch.setattr(processes, "output_of", run)
    report = start_up(["--device", "cpu"], clock=lambda: now_s)
    assert report == {"first_s": 9.0, "live_s": 5.0, "imports_s": 2.0, "ratio": 2.5}
    assert commands[1::2] == [IMPORTS] * 4
    assert commands[0] == [*LIVE, "--max-frames", "1", "--quiet", "--device", "cpu"]


def test_a_process_gets_the_environment_without_some_variables(monkeypatch):
    monkeypatch.setenv("KEPT", "yes")
    monkeypatch.setenv("TAKEN", "yes")
    code = "import os; print(os.environ.get('KEPT'), os.environ.get('TAKEN'))"
    assert output_of([sys.executable, "-c", code], without=["TAKEN"]) == "yes None\n"
    assert os.environ["TAKEN"] == "yes"


def test_a_process_ends_with_what_waits_for_it():
    started = []

    def stop(pid: int, line: str) -> None:
        started.append(pid)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        output_of([sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(600)"], on_line=stop)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


def test_a_failure_is_reported_and_not_measured(monkeypatch):
    monkeypatch.setattr(processes, "LIVE", (sys.executable, "-c", "import sys; sys.exit('no camera')"))
    for measure in (start_up, memory):
        with pytest.raises(UserError, match="exit code 1 and said: no camera"):
            measure()


# Prints as live.py does, and goes on when the line has been read: FIONREAD counts what is left in the pipe.
GREEDY = """
import fcntl, termios, time
kept = []
for frame in range(200):
    if frame < 100 or {leak}:
        kept.append(bytearray(200_000))
        kept[-1][:] = b"x" * 200_000
    print(f"{{frame / 30:8.3f}} s  person 1  looks like neutral 99 %  [0 0 1 1]", flush=True)
    while any(fcntl.ioctl(1, termios.FIONREAD, b"    ")):
        time.sleep(0.0005)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux has /proc/PID/status")
@pytest.mark.parametrize(("leak", "growth_mb"), [(True, 16), (False, 0)])
def test_memory_that_grows_and_memory_that_does_not(monkeypatch, leak, growth_mb):
    monkeypatch.setattr(processes, "LIVE", (sys.executable, "-c", GREEDY.format(leak=leak)))
    report = memory(frames=200)
    assert report["growth_mb"] == pytest.approx(growth_mb, abs=2)  # 0.2 MB a frame, over four fifths of 100 frames
    assert report["end_mb"] <= report["peak_mb"] < 100
    assert report["peak_mb"] > (40 if leak else 20)
