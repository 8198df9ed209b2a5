"""AP, recall, false faces and landmark errors, against hand-made cases."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from evaluation.detection.__main__ import main
from retinaface.face import Face
from retinaface.metrics import match_faces, match_pictures, scores_by_size, scores_of
from retinaface.training.annotations import Picture
from support import UserError
from support.metrics import average_precision

POINTS = np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]], np.float32)


def face(x: float, score: float, *, side: float = 40, shift: float = 0.0) -> Face:
    return Face(np.array([x, 0, x + side, side], np.float32), POINTS + [x + shift, 0], score)


def picture(*xs: float, side: float = 40) -> Picture:
    boxes = np.array([[x, 0, x + side, side] for x in xs], np.float32).reshape(-1, 4)
    points = np.array([POINTS + [x, 0] for x in xs], np.float32).reshape(-1, 5, 2)
    none = np.empty((0, 4), np.float32)
    return Picture("p", np.zeros((100, 400, 3), np.uint8), boxes, points, none, np.zeros(4, np.float32), complete=True)


def test_average_precision_by_hand():
    # right, wrong, right; four faces: precision 1 up to recall 1/4, then 2/3 up to 1/2
    assert average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 4) == pytest.approx(
        0.25 * 1 + 0.25 * 2 / 3
    )
    assert average_precision(np.empty(0), np.empty(0, bool), 3) == 0


def test_a_face_is_hit_once_and_by_enough_overlap():
    boxes = picture(0, 100).boxes
    assert match_faces([face(0, 0.9), face(2, 0.8), face(99, 0.7), face(130, 0.6)], boxes) == [0, -1, 1, -1]
    assert match_faces([], boxes) == []
    assert match_faces([face(0, 0.9)], np.empty((0, 4))) == [-1]


def test_scores_of_a_small_set():
    found = iter([[[face(0, 0.9, shift=2), face(200, 0.8)]], [[face(0, 0.4)]], [[]]])
    scores = scores_of(match_pictures([picture(0, 100), picture(0), picture()], lambda frames: next(found)))
    assert scores.faces == 3
    assert scores.images == 3
    assert scores.recall == pytest.approx(1 / 3)  # the second is right, but below the decision
    assert scores.false_positives == 1
    assert scores.ap == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    assert scores.landmark_error == pytest.approx((2 / 20 + 0) / 2)  # shifted by 2 at an eye distance of 20


def test_small_faces_neither_count_nor_harm():
    found = iter([[[face(0, 0.9), face(100, 0.8, side=20)]]])
    mixed = picture(0, 100)
    mixed.boxes[1] = [100, 0, 120, 20]
    scores = scores_of(match_pictures([mixed], lambda frames: next(found), min_size=30))
    assert (scores.faces, scores.ap, scores.false_positives) == (1, pytest.approx(1), 0)


def test_sizes_apart():
    found = iter([[[face(0, 0.9), face(100, 0.8, side=20)]]])
    mixed = picture(0, 100)
    mixed.boxes[1] = [100, 0, 120, 20]
    table = scores_by_size(match_pictures([mixed], lambda frames: next(found)))
    assert table["0-24"]["faces"] == table["24-48"]["faces"] == 1
    assert table["0-24"]["ap"] == table["24-48"]["ap"] == pytest.approx(1)
    assert table["48-96"]["ap"] is None


def test_the_command_scores_the_shipped_weights(tmp_path, portrait, capsys):
    (tmp_path / "p.png").write_bytes(cv2.imencode(".png", portrait[..., ::-1])[1].tobytes())
    row = {"image": "p.png", "boxes": [[178, 57, 270, 175]], "landmarks": [None]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    argv = ["--annotations", str(tmp_path / "a.jsonl"), "--images", str(tmp_path), "--out", str(tmp_path / "s.json")]
    assert main([*argv, "--device", "cpu"]) == 0
    scores = json.loads((tmp_path / "s.json").read_text())
    assert {"ap", "recall", "false_positives", "landmark_error", "faces", "images"} <= scores.keys()
    assert (scores["ap"], scores["recall"], scores["faces"], scores["images"]) == (1.0, 1.0, 1, 1)
    assert scores["landmark_error"] is None
    with pytest.raises(UserError, match="both needed"):
        main([])
    with pytest.raises(UserError, match="no picture of"):
        main([*argv, "--source", "other"])
