"""A face that fills the frame is one face: parts go, others stay; and it does not jump as it comes nearer."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest

from retinaface import near_faces
from retinaface.anchors import iou
from retinaface.detector import RetinaFace
from retinaface.face import Face
from retinaface.near_faces import ALONE, NEAR, POSSIBLE, blended

whole_faces = functools.partial(near_faces.whole_faces, iou_threshold=0.5)


def face(box: tuple[float, float, float, float], score: float) -> Face:
    return Face(np.array(box, np.float32), np.full((5, 2), box[0], np.float32), score)


WHOLE = face((0, 0, 100, 100), 0.9)
MOUTH = face((20, 50, 70, 95), 0.95)


def test_parts_go_and_others_stay_by_hand():
    small = face((80, 5, 90, 15), 0.8)  # smaller than a part: another face
    beside = face((90, 0, 180, 100), 0.7)  # its centre lies outside
    assert whole_faces([MOUTH, small, beside], [WHOLE], near=80) == [WHOLE, small, beside]
    unsure = face((0, 0, 100, 100), 0.7)
    assert whole_faces([MOUTH], [unsure], near=80) == [MOUTH, unsure]  # the part scores higher
    assert whole_faces([], [WHOLE], near=80) == [WHOLE]
    assert whole_faces([MOUTH], [], near=80) == [MOUTH]
    assert whole_faces([MOUTH], [WHOLE], near=101) == [MOUTH]  # what is not near is not asked of a smaller frame


@pytest.mark.parametrize(("near", "share"), [(100.0, 0.0), (100 / 1.125, 0.5), (80.0, 1.0), (50.0, 1.0)])
def test_a_face_found_in_both_frames_is_blended_by_its_size(near, share):
    """The larger frame's alone from `near` down, the smaller's alone from 1.25 times that."""
    assert ALONE == 1.25
    fine, coarse = face((0, 0, 100, 100), 0.95), face((8, 8, 108, 112), 0.9)
    (found,) = whole_faces([MOUTH, fine], [coarse], near=near)[:1]
    np.testing.assert_allclose(found.box_xyxy, share * np.array([8, 8, 8, 12]) + [0, 0, 100, 100], atol=1e-4)
    np.testing.assert_allclose(found.landmarks_xy, share * 8, atol=1e-4)
    assert found.score == 0.95
    assert whole_faces([fine], [coarse], near=100.01) == [fine]


def test_what_is_blended_is_between_both():
    halfway = blended(WHOLE, face((10, 0, 100, 100), 0.5), share=0.5)
    assert halfway.box_xyxy.tolist() == [5, 0, 100, 100]
    assert halfway.score == 0.9
    assert blended(WHOLE, MOUTH, share=-1).box_xyxy.tolist() == WHOLE.box_xyxy.tolist()
    assert blended(WHOLE, MOUTH, share=9).box_xyxy.tolist() == MOUTH.box_xyxy.tolist()


def test_a_face_that_comes_nearer_does_not_jump_where_the_second_search_begins(portrait):
    """A zoom by half a percent a frame: no step over the border is larger than steps away from it."""
    detector, found = RetinaFace.from_file(imgsz=None), []
    for size in NEAR * 1.005 ** np.arange(-6, 7):
        zoom = size / 106
        matrix = np.array([[zoom, 0, 240 - zoom * 224], [0, zoom, 200 - zoom * 116]])
        frame = cv2.warpAffine(portrait, matrix, (480, 416), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        ((one,),) = detector([frame])
        box = (one.box_xyxy - [240, 200, 240, 200]) / size
        points = (one.landmarks_xy - [240, 200]) / size
        found.append((one.size, np.concatenate([box, points.ravel()])))
    steps = np.abs(np.diff([values for _, values in found], axis=0)).max(axis=1)
    beyond = np.array([size >= NEAR for size, _ in found])
    assert 0 < beyond.sum() < len(beyond), "the zoom does not cross the border"
    assert steps.max() < 0.02  # of the face; 0.08 where the border is a switch


def test_what_may_be_a_near_face_is_searched_for_in_a_smaller_frame_which_decides():
    """As of a face that overfills the frame: scored 0.4 there, and 0.7 where it is smaller."""
    detector, asked = RetinaFace.from_file(imgsz=None), []

    def engine(batch: np.ndarray, *, smaller: float) -> list[np.ndarray]:
        side = batch.shape[1]
        asked.append(side)
        score = 0.4 if side == 320 else smaller
        box = np.array([[[0, 0, 0.9 * side, 0.9 * side]]], np.float32)
        return [np.full((1, 1), score, np.float32), box, np.full((1, 1, 5, 2), side / 2, np.float32)]

    frame = np.zeros((320, 320, 3), np.uint8)
    detector.engine = functools.partial(engine, smaller=0.7)
    assert [one.score for one in detector([frame])[0]] == pytest.approx([0.7])
    detector.engine = functools.partial(engine, smaller=0.4)
    assert detector([frame]) == [[]]
    assert asked == [320, 160, 320, 160]


def test_in_a_reduced_frame_a_face_is_near_by_its_size_there():
    """A face of 576 pixels has 288 in the frame searched: hardly near, so one smaller frame is asked and it stays."""
    detector, asked = RetinaFace.from_file(imgsz=320), []

    def engine(batch: np.ndarray) -> list[np.ndarray]:
        side = batch.shape[1]
        asked.append(side)
        box = np.array([[[0, 0, 288, 288]]], np.float32)
        return [np.full((1, 1), 0.9 * (side == 320), np.float32), box, np.full((1, 1, 5, 2), 100, np.float32)]

    detector.engine = engine
    ((found,),) = detector([np.zeros((640, 640, 3), np.uint8)])
    assert found.size == 576
    assert asked == [320, 160]


def test_what_is_as_large_and_not_found_in_the_smaller_frame_is_no_face():
    blur = face((120, 0, 220, 100), 0.95)
    smaller = [face((2, 0, 100, 100), 0.6)]
    assert [one.score for one in whole_faces([WHOLE, blur], smaller, near=80)] == [WHOLE.score]
    assert blur in whole_faces([WHOLE, blur], smaller, near=80.1)  # hardly near: both frames tell of it


def test_a_portrait_enlarged_until_it_is_soft_shows_one_face(portrait):
    """Blurs in it are as large as faces at its own size, and nothing in a smaller frame."""
    detector = RetinaFace.from_file(imgsz=None, conf=0.6)
    for side in (512, 2048, 3072):
        enlarged = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_CUBIC)
        assert len(detector([enlarged])[0]) == 1, side


def test_how_many_doubtful_faces_come_with_them_changes_no_other():
    rng = np.random.default_rng(0)

    def some(count: int) -> list[Face]:
        corners, sides = rng.uniform(0, 200, (count, 2)), rng.uniform(40, 300, (count, 2))
        boxes, scores = np.hstack([corners, corners + sides]), np.sort(rng.uniform(0.01, 1, count))[::-1]
        return [face(tuple(box), score) for box, score in zip(boxes, scores, strict=True)]

    def possible(faces: list[Face]) -> list[Face]:
        return [one for one in faces if one.score >= POSSIBLE]

    for _ in range(200):
        faces, smaller = some(12), some(6)
        found = possible(whole_faces(faces, smaller, near=100))
        wanted = whole_faces(possible(faces), possible(smaller), near=100)
        assert [one.score for one in found] == [one.score for one in wanted]
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one.box_xyxy, other.box_xyxy)


def test_a_large_face_that_overlaps_one_which_stays_is_left_out():
    sure = face((30, 0, 129, 99), 0.95)  # its centre is inside, it is smaller, and scores higher than the unsure one
    unsure = face((0, 0, 150, 150), 0.7)
    overlap = iou(unsure.box_xyxy[None], sure.box_xyxy[None])[0, 0]
    assert 0.5 > overlap > 0.4
    assert whole_faces([sure], [unsure], near=80, iou_threshold=0.4) == [sure]
    assert whole_faces([sure], [unsure], near=80, iou_threshold=0.6) == [sure, unsure]
