"""AP, recall, false positives and landmark errors, against cases worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retinaface.face import Face
from retinaface.metrics import (
    SIZE_BINS,
    landmark_error,
    luminance_of,
    match_faces,
    match_pictures,
    scores_by,
    scores_of,
)
from retinaface.training.annotations import Picture

POINTS = np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]], np.float32)


def face(x: float, score: float, *, side: float = 40, shift: float = 0.0) -> Face:
    return Face(np.array([x, 0, x + side, side], np.float32), POINTS + [x + shift, 0], score)


SIZE_HW = (100, 400)


def picture(*xs: float, side: float = 40) -> Picture:
    boxes = np.array([[x, 0, x + side, side] for x in xs], np.float32).reshape(-1, 4)
    points = np.array([POINTS + [x, 0] for x in xs], np.float32).reshape(-1, 5, 2)
    none = np.empty((0, 4), np.float32)
    return Picture("p", np.zeros((*SIZE_HW, 3), np.uint8), boxes, points, none, complete=True)


def test_a_box_matches_once_and_by_enough_overlap():
    two = picture(0, 100)
    assert match_faces([face(0, 0.9), face(2, 0.8), face(99, 0.7), face(130, 0.6)], two, SIZE_HW) == [0, -1, 1, -1]
    assert match_faces([], two, SIZE_HW) == []
    assert match_faces([face(0, 0.9)], picture(), SIZE_HW) == [-1]


def test_of_a_face_that_reaches_out_of_the_picture_only_what_can_be_seen_counts():
    """A half is annotated, the whole is found, and the other way round."""
    assert match_faces([face(-20, 0.9)], picture(0, side=19), SIZE_HW) == [-1]  # 19 x 19 of 20 x 40
    half = replace(picture(0), boxes=np.array([[0, 0, 20, 40]], np.float32))
    assert match_faces([face(-20, 0.9)], half, SIZE_HW) == [0]
    assert match_faces([Face(half.boxes[0], POINTS, 0.9)], picture(-20), SIZE_HW) == [0]
    assert match_faces([face(0, 0.9)], replace(half, boxes=half.boxes * [1, 1, 0.9, 1]), SIZE_HW) == [-1]


def test_a_region_to_ignore_matches_often_and_counts_neither_way():
    one = replace(picture(0), ignore=picture(100).boxes)
    found = [face(0, 0.9), face(100, 0.8), face(103, 0.7), face(200, 0.6)]
    assert match_faces(found, one, SIZE_HW) == [0, -2, -2, -1]
    scores = scores_of(match_pictures([one], lambda frames: [found]))
    assert (scores.recall, scores.false_positives, scores.ap) == (1, 1, 1)


def test_luminance_is_that_of_the_box_inside_the_picture():
    image = np.zeros((50, 60, 3), np.uint8)
    image[:10, :20] = (255, 0, 0)
    assert luminance_of(image, np.array([-5.0, -5, 20, 10])) == pytest.approx(0.299 * 255)
    assert luminance_of(image, np.array([0.0, 0, 20, 20])) == pytest.approx(0.299 * 255 / 2)
    assert np.isnan(luminance_of(image, np.array([70.0, 0, 90, 20])))


def test_scores_of_a_small_set():
    nothing: list[list[Face]] = [[]]
    found = iter([[[face(0, 0.9, shift=2), face(200, 0.8)]], [[face(0, 0.4)]], nothing])
    scores = scores_of(match_pictures([picture(0, 100), picture(0), picture()], lambda frames: next(found)))
    assert (scores.faces, scores.images) == (3, 3)
    assert scores.recall == pytest.approx(1 / 3)  # the second is right, but below the score threshold
    assert scores.false_positives == 1
    assert scores.ap == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    assert scores.landmark_error == pytest.approx((2 / 20 + 0) / 2)  # shifted by 2 at an eye distance of 20


def test_faces_by_size_and_without_the_small_ones():
    mixed = picture(0, 100)
    mixed.boxes[1] = [100, 0, 120, 20]
    matches = match_pictures([mixed], lambda frames: [[face(0, 0.9), face(100, 0.8, side=20)]])
    scores = scores_of(matches, matches.sizes >= 30)
    assert (scores.faces, scores.ap, scores.false_positives) == (1, pytest.approx(1), 0)
    table = scores_by(matches, matches.sizes, SIZE_BINS, chosen=np.full(2, True))
    assert table["0-24"]["faces"] == table["24-48"]["faces"] == 1
    assert table["0-24"]["ap"] == table["24-48"]["ap"] == pytest.approx(1)
    assert table["48-96"]["ap"] is None
    assert scores_by(matches, matches.sizes, SIZE_BINS, chosen=matches.sizes >= 30)["0-24"]["faces"] == 0


def test_without_a_distance_of_the_eyes_there_is_no_landmark_error():
    annotated = np.array([[5, 5], [5, 5], [6, 7], [4, 9], [7, 9]], np.float32)
    assert np.isnan(landmark_error(annotated + 1, annotated))


def test_faces_are_counted_on_from_picture_to_picture():
    found = iter([[[face(0, 0.9, side=20)]], [[face(0, 0.8), face(200, 0.7)]]])
    matches = match_pictures([picture(0, side=20), picture(0)], lambda frames: next(found))
    assert matches.rows.tolist() == [0, 1, -1]
    assert [scores_of(matches, matches.sizes >= least).recall for least in (0, 30)] == [1, 1]
