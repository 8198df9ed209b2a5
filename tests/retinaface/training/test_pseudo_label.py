"""Labels of a detector: written, read back, and what they add to annotations."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from helpers.tiny_sets import write_lines, write_picture

from retinaface.face import Face, resized
from retinaface.training import pseudo_label
from retinaface.training.annotations import Picture
from retinaface.training.pseudo_label import ENLARGED_TO, Labels, main, read_labels, with_pseudo_labels
from support import UserError

POINTS = np.array([[15, 18], [33, 18], [24, 28], [17, 36], [31, 36]], np.float32)
BOX = [4, 2, 44, 50]
NONE = np.empty((0, 4), np.float32)


class Finder:
    """Finds one face at a known place of a picture of 48x60 pixels, which comes enlarged; none in dark ones."""

    def __call__(self, frames):
        (frame,) = frames
        zoom = 4.0
        assert frame.shape == (48 * zoom, 60 * zoom, 3)
        assert max(frame.shape) < ENLARGED_TO
        face = Face(resized(np.array(BOX, np.float32), zoom), resized(POINTS, zoom), 0.9512)
        return [[face] if frame.max() > 20 else []]


def test_the_command_writes_what_the_trainer_reads(tmp_path, monkeypatch):
    for number in range(2):
        write_picture(tmp_path / f"{number}.png", np.full((48, 60, 3), 90 * number, np.uint8))
    write_lines(tmp_path / "a.jsonl", [json.dumps({"image": f"{n}.png", "boxes": []}) for n in range(2)])
    monkeypatch.setattr(pseudo_label.RetinaFace, "from_file", lambda *args, **options: Finder())
    out = tmp_path / "labels.jsonl"
    argv = ["--annotations", str(tmp_path / "a.jsonl"), "--images", str(tmp_path), "--out", str(out), "--device", "cpu"]
    assert main(argv) == 0
    with pytest.raises(UserError, match="would overwrite the annotations"):
        main([*argv, "--out", str(tmp_path / "a.jsonl")])
    with pytest.raises(UserError, match="are both needed"):
        main([])
    dark, light = dict(read_labels(out)).values()
    assert (dark.boxes.shape, dark.scores.shape, dark.landmarks.shape) == ((0, 4), (0,), (0, 5, 2))
    np.testing.assert_allclose(light.boxes, [BOX], atol=0.05)
    np.testing.assert_allclose(light.landmarks, [POINTS], atol=0.05)
    assert light.scores.tolist() == [pytest.approx(0.951)]
    write_lines(out, ['{"image": "a", "boxes": [[1, 2, 3, 4]], "scores": [], "landmarks": []}'])
    with pytest.raises(UserError, match="line 1: wanted as many scores"):
        dict(read_labels(out))


def picture(boxes, landmarks=None, **facts) -> Picture:
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    points = np.full((len(boxes), 5, 2), np.nan, np.float32) if landmarks is None else np.array(landmarks, np.float32)
    facts = {"complete": False, "boxes_by_hand": True, "landmarks_by_hand": False} | facts
    return Picture("p", np.zeros((9, 9, 3), np.uint8), boxes, points, NONE, **facts)


def labels(*rows) -> Labels:
    """Each: left, score, value of all landmarks; boxes of 40 pixels beside each other."""
    boxes = np.array([[left, 0, left + 40, 40] for left, _, _ in rows], np.float32).reshape(-1, 4)
    points = np.array([np.full((5, 2), value) for _, _, value in rows], np.float32).reshape(-1, 5, 2)
    return Labels(boxes, np.array([score for _, score, _ in rows], np.float32), points)


SAID = labels((0, 0.9, 1), (100, 0.8, 2), (200, 0.4, 3), (300, 0.2, 4))


def test_boxes_by_hand_stay_and_get_landmarks():
    found = with_pseudo_labels(picture([[2, 0, 42, 40], [500, 0, 540, 40]]), SAID)
    np.testing.assert_allclose(found.boxes, [[2, 0, 42, 40], [500, 0, 540, 40], [100, 0, 140, 40]])
    assert (found.landmarks[0] == 1).all()
    assert np.isnan(found.landmarks[1]).all()  # the labels know nothing of it
    assert (found.landmarks[2] == 2).all()
    np.testing.assert_allclose(found.ignore, [[200, 0, 240, 40]])


def test_in_a_complete_picture_what_else_is_found_is_ignored():
    found = with_pseudo_labels(picture([[2, 0, 42, 40]], complete=True), SAID)
    np.testing.assert_allclose(found.boxes, [[2, 0, 42, 40]])
    np.testing.assert_allclose(found.ignore, [[100, 0, 140, 40], [200, 0, 240, 40]])


def test_a_picture_without_a_face_stays_so_and_keeps_the_highest_score():
    free = with_pseudo_labels(picture([], complete=True), SAID)  # looked through by eye
    assert free.boxes.shape == free.ignore.shape == (0, 4)
    assert free.false_score == pytest.approx(0.9)
    assert with_pseudo_labels(picture([], complete=True), labels()).false_score == 0
    unsure = dataclasses.replace(picture([], complete=True), ignore=np.float32([[0, 0, 50, 50]]))
    assert with_pseudo_labels(unsure, SAID).false_score == 0  # it may show one


def test_other_boxes_give_way_and_doubtful_ones_are_ignored():
    boxes = [[2, 0, 42, 40], [198, 0, 238, 40], [500, 0, 540, 40]]
    found = with_pseudo_labels(picture(boxes, boxes_by_hand=False), SAID)
    np.testing.assert_allclose(
        found.boxes, [[0, 0, 40, 40], [100, 0, 140, 40], [200, 0, 240, 40]]
    )  # the last: both say so
    np.testing.assert_allclose(found.ignore, [[300, 0, 340, 40], [500, 0, 540, 40]])


def test_landmarks_set_by_hand_stay_whatever_happens_to_the_box():
    own = [np.full((5, 2), 7.0)]
    for by_hand in (True, False):
        before = picture([[2, 0, 42, 40]], own, boxes_by_hand=by_hand, landmarks_by_hand=True)
        assert (with_pseudo_labels(before, SAID).landmarks[0] == 7).all()
    estimated = picture([[2, 0, 42, 40]], own, boxes_by_hand=False)
    assert (with_pseudo_labels(estimated, SAID).landmarks[0] == 1).all()


def test_no_labels_leave_boxes_by_hand_alone():
    before = picture([[2, 0, 42, 40]])
    found = with_pseudo_labels(before, labels())
    np.testing.assert_allclose(found.boxes, before.boxes)
    assert with_pseudo_labels(picture([[2, 0, 42, 40]], boxes_by_hand=False), labels()).boxes.shape == (0, 4)


@pytest.mark.parametrize("boxes_by_hand", [True, False])
def test_of_faces_by_hand_those_without_landmarks_get_them(boxes_by_hand):
    own = [np.full((5, 2), 7.0), np.full((5, 2), np.nan)]
    before = picture([[2, 0, 42, 40], [102, 0, 142, 40]], own, boxes_by_hand=boxes_by_hand, landmarks_by_hand=True)
    assert with_pseudo_labels(before, SAID).landmarks[:, 0, 0].tolist() == [7, 2]


def test_an_ignored_region_in_which_a_face_is_found_is_ignored_no_more():
    regions = np.float32([[102, 0, 142, 40], [600, 0, 640, 40]])
    found = with_pseudo_labels(dataclasses.replace(picture([[2, 0, 42, 40]]), ignore=regions), SAID)
    np.testing.assert_allclose(found.boxes, [[2, 0, 42, 40], [100, 0, 140, 40]])
    np.testing.assert_allclose(found.ignore, [[600, 0, 640, 40], [200, 0, 240, 40]])
