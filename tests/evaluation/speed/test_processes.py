"""live.py as a process: seconds and megabytes, with processes whose figures are known."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evaluation.speed import processes
from evaluation.speed.processes import memory, start_up
from support import UserError


def test_start_up_is_one_process_beside_another(monkeypatch):
    monkeypatch.setattr(processes, "LIVE", (sys.executable, "-c", "import time; time.sleep(0.4)"))
    monkeypatch.setattr(processes, "IMPORTS", (sys.executable, "-c", "import time; time.sleep(0.1)"))
    seconds = start_up(repeats=1)
    assert 0.4 < min(seconds["first_s"], seconds["live_s"]) < 10
    assert 0.1 < seconds["imports_s"] < seconds["live_s"]
    assert seconds["ratio"] == seconds["live_s"] / seconds["imports_s"]


def test_a_failure_is_told_and_not_measured(monkeypatch):
    monkeypatch.setattr(processes, "LIVE", (sys.executable, "-c", "import sys; sys.exit('no camera')"))
    with pytest.raises(UserError, match="exit code 1 and said: no camera"):
        start_up()


GREEDY = """
import time
kept = []
for frame in range(200):
    if frame < 100 or {leak}:
        kept.append(bytearray(200_000))
        kept[-1][:] = b"x" * 200_000
    print(f"{{frame / 30:8.3f}} s  person 1  looks like neutral 99%  [0 0 1 1]")
    time.sleep(0.002)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux has /proc/PID/status")
@pytest.mark.parametrize(("leak", "grown_mb"), [(True, 16), (False, 0)])
def test_memory_that_grows_and_memory_that_does_not(monkeypatch, leak, grown_mb):
    monkeypatch.setattr(processes, "LIVE", (sys.executable, "-c", GREEDY.format(leak=leak)))
    found = memory(frames=200)
    assert found["growth_mb"] == pytest.approx(grown_mb, abs=2)  # 0.2 MB a frame, over four fifths of 100 frames
    assert found["end_mb"] <= found["peak_mb"] < 100
    assert found["peak_mb"] > (40 if leak else 20)
