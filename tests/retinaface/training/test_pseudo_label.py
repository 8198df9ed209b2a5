"""Annotations of cropped faces by a detector."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.tiny_sets import write_picture

from retinaface.face import Face, resized
from retinaface.training import pseudo_label
from retinaface.training.annotations import read_annotations, read_pictures, split_of
from retinaface.training.pseudo_label import PADDING, SIDE, main, pseudo_labels
from support import UserError

POINTS = np.array([[15, 18], [33, 18], [24, 28], [17, 36], [31, 36]], np.float32)


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        write_picture(tmp_path / f"{number}.png", np.full((48, 60, 3), 40 + number, np.uint8))
    return tmp_path


def detector(frames):
    """Finds one face at a known place, but none in picture 1 and two in picture 2."""
    (frame,) = frames
    assert frame.shape == (SIDE + 2 * PADDING, SIDE * 60 // 48 + 2 * PADDING, 3)
    assert (frame[:PADDING] == 110).all()
    zoom = SIDE / 48
    box = resized(np.array([4, 2, 44, 50], np.float32), zoom) + PADDING
    face = Face(box, resized(POINTS, zoom) + PADDING, 0.95)
    return [[face] * {41: 0, 42: 2}.get(int(frame[SIDE // 2 + PADDING, SIDE // 2 + PADDING, 0]), 1)]


def test_box_and_landmarks_are_in_the_pictures_own_pixels(folder):
    rows = list(pseudo_labels([f"{number}.png" for number in range(4)], folder, detector))
    assert [row["image"] for row in rows] == ["0.png", "3.png"]
    assert rows[0]["boxes"] == [[4, 2, 44, 50]]
    np.testing.assert_allclose(rows[0]["landmarks"], [POINTS])
    assert not rows[0]["complete"]
    assert not rows[0]["gt"]  # not set by hand


def test_the_command_writes_what_the_trainer_reads(folder, monkeypatch):
    monkeypatch.setattr(pseudo_label.RetinaFace, "from_file", lambda *args, **options: detector)
    out = folder / "a.jsonl"
    assert main(["--images", str(folder), "--every", "3", "--out", str(out), "--device", "cpu"]) == 0
    rows = read_annotations(out)
    assert [row["image"] for row in rows] == ["0.png", "3.png"]
    assert {split_of(row) for row in rows} == {"train"}
    assert len(list(read_pictures(rows, folder))) == 2


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"holds no \.png or \.jpg"):
        main(["--images", str(tmp_path)])
