"""What a teacher adds to annotated pictures, and how its landmark bias is measured."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from retinaface.face import Face, resized
from retinaface.training.annotations import Picture
from retinaface.training.teacher import (
    NO_BIAS,
    add_pseudo_labels,
    detect_enlarged,
    eye_frame,
    measure_landmark_bias,
)

POINTS = [[20, 20], [40, 20], [30, 30], [22, 40], [38, 40]]
NOTHING = np.empty((0, 4), np.float32)


def picture(boxes, landmarks, *, complete: bool, by_hand: bool = True) -> Picture:
    """80 x 60 pixels, black."""
    boxes, landmarks = np.array(boxes, np.float32).reshape(-1, 4), np.array(landmarks, np.float32).reshape(-1, 5, 2)
    return Picture("p", np.zeros((60, 80, 3), np.uint8), boxes, landmarks, NOTHING, NOTHING, complete, by_hand)


@pytest.fixture
def one() -> Picture:
    """Two faces, of which the second has no landmarks."""
    return picture([[10, 10, 50, 50], [55, 5, 70, 20]], [POINTS, np.full((5, 2), np.nan)], complete=True)


def teacher_of(*faces: tuple[list[float], float]):
    """A teacher that finds these boxes (in the picture's pixels) in every picture."""

    def teacher(frames):
        zoom, points = frames[0].shape[1] / 80, np.array(POINTS, np.float32)
        placed = [(resized(np.array(box, np.float32), zoom), resized(points + box[0], zoom)) for box, _ in faces]
        return [[Face(*place, score) for place, (_, score) in zip(placed, faces, strict=True)]]

    return teacher


def test_a_teacher_adds_landmarks_faces_and_regions_to_ignore(one):
    teacher = teacher_of(([55, 5, 70, 20], 0.9), ([0, 40, 15, 58], 0.9), ([60, 40, 75, 55], 0.2))
    complete = add_pseudo_labels(one, teacher)
    assert complete.boxes.tolist() == one.boxes.tolist()  # it is complete: no box is added
    np.testing.assert_allclose(complete.landmarks[1], np.array(POINTS) + 55, rtol=1e-5)
    np.testing.assert_allclose(complete.landmarks[0], POINTS)  # those set by hand stay
    assert len(complete.ignore) == 0
    partial = add_pseudo_labels(picture([], [], complete=False), teacher)
    np.testing.assert_allclose(partial.boxes, [[55, 5, 70, 20], [0, 40, 15, 58]], rtol=1e-5)
    np.testing.assert_allclose(partial.ignore, [[60, 40, 75, 55]], rtol=1e-5)
    assert partial.landmarks.shape == (2, 5, 2)


def test_landmarks_not_set_by_hand_are_replaced_by_those_of_the_surest_face(one):
    estimated = picture(one.boxes, one.landmarks, complete=True, by_hand=False)
    teacher = teacher_of(([10, 10, 50, 50], 0.9), ([12, 10, 50, 50], 0.5))
    points = add_pseudo_labels(estimated, teacher).landmarks
    np.testing.assert_allclose(points[0], np.array(POINTS) + 10, rtol=1e-5)
    assert np.isnan(points[1]).all()


def test_the_eye_frame_turns_and_grows_with_the_face():
    points = np.array(POINTS, np.float32)
    assert eye_frame(points).tolist() == [[20, 0], [0, 20]]
    quarter_turned = 3 * points[:, ::-1] * [-1, 1]  # what was to the right is below, what was below is to the left
    assert eye_frame(quarter_turned).tolist() == [[0, 60], [-60, 0]]


def test_the_landmark_bias_is_measured_in_the_eye_frame_and_subtracted():
    bias = np.array([[0.02, 0.03], [0.0, 0.01], [-0.02, 0.05], [0.1, 0.0], [0.0, -0.1]])

    def annotated(turn_deg: float, side: float) -> Picture:
        turn = np.deg2rad(turn_deg)
        turned = (np.array(POINTS) - 30) * side / 40 @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
        image = np.zeros((320, 320, 3), np.uint8)
        image[0, 0] = int(turn_deg), int(side), 0  # tells the teacher which it is
        box = [[160 - side, 160 - side, 160 + side, 160 + side]]
        return Picture("p", image, np.array(box, np.float32), turned[None] + 160, NOTHING, NOTHING, complete=False)

    pictures = [annotated(turn, side) for turn, side in ((0, 40), (30, 80), (50, 120))]

    def teacher(frames):
        shown = annotated(*frames[0][0, 0, :2].astype(float))
        points = shown.landmarks[0]
        return [[Face(shown.boxes[0], points + bias @ eye_frame(points), 0.9)]]

    found = measure_landmark_bias(teacher, pictures)
    np.testing.assert_allclose(found, bias, atol=1e-9)
    unmarked = dataclasses.replace(pictures[1], landmarks=np.full((1, 5, 2), np.nan))
    off = add_pseudo_labels(unmarked, teacher, landmark_bias=found).landmarks - pictures[1].landmarks
    assert np.abs(off).max() < 0.05 * 0.1 * 40  # of 4 pixels; the frame of its biased eyes is rotated a little
    assert measure_landmark_bias(teacher, [unmarked]) is NO_BIAS


def test_a_face_found_in_an_enlarged_picture_is_where_it_is_in_the_picture():
    """The brightest point of a smooth spot, found in the enlarged picture as a detector would find it."""
    y, x = np.mgrid[:80, :80]
    spot = np.exp(-((x - 30.3) ** 2 + (y - 41.6) ** 2) / 50)
    image = (255 * spot[..., None].repeat(3, 2)).astype(np.uint8)
    small = dataclasses.replace(picture([], [], complete=True), image=image)

    def teacher(frames):
        weight = frames[0][..., 0].astype(float) ** 2
        rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
        centre = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
        return [[Face(np.tile(centre, 2), np.tile(centre, (5, 1)), 0.9)]]

    (face,) = detect_enlarged(small, teacher)
    np.testing.assert_allclose(face.landmarks_xy[0], [30.3, 41.6], atol=0.03)
