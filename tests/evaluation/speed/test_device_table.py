"""The table of a device: every figure in its place, the limit by hand, training steps counted by a clock."""

from __future__ import annotations

import itertools

import pytest
import torch

from evaluation.speed import device_table
from evaluation.speed.device_table import TURN, Settings, limit_of, run, training_rates
from evaluation.speed.stage_times import STAGES
from models.training.learner import Learner


def scene(*, draw_ms: float = 1.0, source_fps: float = 1000.0) -> dict:
    stages = {stage: {"median": draw_ms if stage == "draw" else 1.0} for stage in STAGES}
    live = {"fps": 120.4, "warm_up_fps": 7.6, "warm_up_s": 1.25, "source_fps": source_fps}
    return {"stages_ms": stages, "live": live, "lag": {"p95_ms": 16.6, "p95_frames": 2.04}, "file": {"fps": 300.0}}


def test_the_slowest_of_what_works_at_the_same_time_sets_the_limit():
    assert limit_of(scene()) == "analysis, 6.0 ms"
    assert limit_of(scene(draw_ms=5.5)) == "drawing, 6.5 ms"
    assert limit_of(scene(source_fps=100.0)) == "source, 10.0 ms"


def test_all_figures_stand_in_the_table(monkeypatch, capsys):
    asked = []

    def measure_scene(pipeline, size, faces, seconds):
        asked.append((size, faces, seconds))
        return scene(draw_ms=faces)

    monkeypatch.setattr(device_table, "measure_scene", measure_scene)
    monkeypatch.setattr(device_table, "not_idle", lambda about: "other programs ran.")
    row = {"changed": 12345.6, "at_rest": 23456.7, "computing": "bfloat16"}
    monkeypatch.setattr(device_table, "training_rates", lambda name, device, *, batch_size, seconds: row)
    assert run(Settings(device="cpu", faces=[1, 20], models=["tiny_cnn"], seconds=0.5)) == 0
    assert asked == [("640x480", 1, 0.5), ("640x480", 20, 0.5)]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("frames of 640x480, training batches of 128")
    assert lines[1] == "other programs ran."  # else a figure of a busy machine would be taken for the device's
    assert lines[3:5] == ["| | 1 face | 20 faces |", "|---|---|---|"]
    assert "| live loop, frames a second | 120 | 120 |" in lines
    assert "| in its warm-up; seconds of that | 8; 1.2 | 8; 1.2 |" in lines
    assert "| limit of the loop | analysis, 6.0 ms | drawing, 21.0 ms |" in lines
    assert "| lag, 95th percentile | 17 ms, 2.0 frames | 17 ms, 2.0 frames |" in lines
    assert "| draw one frame, ms | 1.00 | 20.00 |" in lines
    assert lines[-1] == "| tiny_cnn | 12,346 | 23,457 | bfloat16 |"


@pytest.mark.parametrize(
    ("seconds", "warm_up", "turns"),
    [
        (13.0, 3, [1, 2, 4, 8, TURN, TURN, TURN]),
        (3.0, 2, [1, 2]),  # of a device on which a step takes most of the time that there is
    ],
)
def test_training_counts_the_steps_after_its_warm_up(monkeypatch, seconds, warm_up, turns):
    seen, step = [], Learner.step
    monkeypatch.setattr(Learner, "step", lambda *args, **options: seen.append(args[1]) or step(*args, **options))
    ticks = itertools.count(0, 2)  # 2 s a turn
    rates = training_rates("tiny_cnn", torch.device("cpu"), batch_size=2, seconds=seconds, clock=lambda: next(ticks))
    assert rates["computing"] == "float32, channels-last, not compiled"
    assert rates["changed"] == rates["at_rest"] == pytest.approx(2 * sum(turns) / (2 * len(turns)))
    assert len(seen) == 2 * (warm_up + sum(turns))
    changed, at_rest = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    assert not any(torch.equal(one, other) for one, other in itertools.pairwise(changed))
    assert all(torch.equal(one, at_rest[0]) for one in at_rest)
