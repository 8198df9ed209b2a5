"""The benchmark's table and figure show the numbers that they are given."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from helpers.figures import bars, render, widths

from evaluation.speed.report import speed_figure, table
from evaluation.speed.stage_times import STAGES


def report(*, baseline: bool = True, memory: dict | None = None) -> dict:
    """Two sizes with 1 and 5 faces; every stage takes as many ms as there are faces."""
    scenes = []
    for size in ("640x480", "1280x720"):
        for faces in (1, 5):
            took = {"median": float(faces), "p95": faces + 0.25, "count": 9}
            scene: dict = {
                "size": size,
                "faces": faces,
                "detected": {"fewest": faces - (size == "1280x720"), "most": faces},
                "stages_ms": dict.fromkeys(STAGES, took),
                "frame_ms": {"median": 8.0 * faces, "p95": 9.0 * faces, "count": 9},
                "live": {"fps": 100.0 / faces, "frames": 9, "warm_up_fps": 12.5},
                "file": {"fps": 150.0 / faces, "frames": 9, "warm_up_fps": 7.5},
                "lag": {
                    "camera_fps": 60, "p50_ms": 20.0, "p95_ms": 30.5, "frame_ms": 17.0, "p50_frames": 1.2,
                    "p95_frames": 1.8, "growth_ms": 0.0,
                },
            }  # fmt: skip
            if baseline:
                scene["baseline"] = {"fps": 10.0 / faces, "frame_ms": {"median": 100.0 * faces, "p95": 0, "count": 3}}
            scenes.append(scene)
    return {
        "scenes": scenes,
        "machine": {"usable_cores": 2, "processor": "Some CPU"},
        "versions": {"onnxruntime": "1.31.1", "torch": None},
        "engine": "onnx on cpu",
        "date": "2026-10-01T12:00:00",
        "show": "show: no display",
        "start_up": {"first_s": 5.0, "live_s": 3.0, "imports_s": 2.0, "ratio": 1.5},
        "memory": memory,
    }


def test_the_table_holds_the_numbers():
    lines = list(table(report(memory={"frames": 300, "peak_mb": 410.2, "end_mb": 400.0, "growth_mb": 0.7})))
    assert lines[0] == "2 cores of Some CPU, onnx on cpu, 2026-10-01, onnxruntime 1.31.1"
    assert lines[1] == "show: no display"
    stages = lines[4:9]
    assert stages[0].split() == ["size", "faces", "detected", *STAGES, "whole", "frame"]
    assert stages[2].split() == ["640x480", "5", "5", *["5.00", "/", "5.25"] * len(STAGES), "40.0", "/", "45.0"]
    assert stages[4].split()[:3] == ["1280x720", "5", "4-5"]
    live = next(line for line in lines[9:] if line.startswith("640x480        5"))
    assert live.split()[2:] == [
        "20.0", "12.5", "60.0", "20.0", "30.5", "1.2", "1.8", "0.0", "30.0", "7.5", "2.0", "500.0", "10.0",
    ]  # fmt: skip
    assert lines[-3] == "start-up     to the end of one frame 3.00 s, the first time 5.00 s"
    assert lines[-2].endswith("alone 2.00 s: live.py takes 1.50 times as long")
    assert lines[-1] == "memory       peak 410 MB over 300 frames; since frame 100 +0.7 MB"
    widths = {len(line) for line in stages}
    assert len(widths) == 1


def test_what_was_not_measured_is_not_shown():
    lines = list(table(report(baseline=False)))
    assert not any("baseline" in line for line in lines)
    assert lines[-1] == "memory       not measured: this system has no /proc"
    alone = report()
    del alone["start_up"], alone["memory"]
    assert not any(line.startswith(("start-up", "memory")) for line in table(alone))


@pytest.mark.parametrize("baseline", [True, False])
def test_bars_are_as_long_as_the_numbers(baseline):
    stages, rates = render(speed_figure(report(baseline=baseline))).axes
    lengths = np.array(widths(stages)).reshape(len(STAGES), 4)
    np.testing.assert_allclose(lengths, np.tile([1, 5, 1, 5], (len(STAGES), 1)))
    assert [text.get_text() for text in stages.texts] == ["8.0", "40.0", "8.0", "40.0", "640x480", "1280x720"]
    wanted = [100, 20, 100, 20] + [10, 2, 10, 2] * baseline
    assert widths(rates) == wanted
    spans = sorted((bar.get_y(), bar.get_y() + bar.get_height()) for bar in bars(rates))
    assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(spans))  # no bar hides another
