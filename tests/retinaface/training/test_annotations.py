"""Annotations, their split, and what a teacher adds."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from retinaface.face import Face, resized
from retinaface.training.annotations import (
    NO_BIAS,
    Picture,
    eye_frame,
    faces_seen,
    landmark_bias_of,
    read_annotations,
    read_pictures,
    split_of,
    taught,
)
from support import UserError

POINTS = [[20, 20], [40, 20], [30, 30], [22, 40], [38, 40]]


@pytest.fixture
def folder(tmp_path):
    image = np.zeros((60, 80, 3), np.uint8)
    image[..., 2] = 250  # red, in OpenCV's order
    (tmp_path / "a").mkdir()
    for name in ("a/one.png", "a/two.png"):
        (tmp_path / name).write_bytes(cv2.imencode(".png", image)[1].tobytes())
    rows = [
        {"image": "a/one.png", "boxes": [[10, 10, 50, 50], [55, 5, 70, 20]], "landmarks": [POINTS, None]},
        {"image": "a/two.png", "boxes": [], "complete": False, "valid": [5, 0, 80, 60]},
    ]
    (tmp_path / "annotations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_pictures_are_rgb_with_boxes_and_landmarks(folder):
    one, two = read_pictures(read_annotations(folder / "annotations.jsonl"), folder)
    assert one.image[0, 0].tolist() == [250, 0, 0]
    assert one.boxes.tolist() == [[10, 10, 50, 50], [55, 5, 70, 20]]
    assert one.landmarks[0].tolist() == POINTS
    assert np.isnan(one.landmarks[1]).all()
    assert one.complete
    assert two.boxes.shape == (0, 4)
    assert two.landmarks.shape == (0, 5, 2)
    assert not two.complete
    assert one.valid.tolist() == [0, 0, 80, 60]
    assert two.valid.tolist() == [5, 0, 80, 60]


def test_faults_are_sentences_with_the_line(folder):
    with pytest.raises(UserError, match="cannot read the annotations"):
        read_annotations(folder / "none.jsonl")
    with open(folder / "annotations.jsonl", "a") as file:
        file.write('{"image": "x.png"}\n')
    with pytest.raises(UserError, match="line 3: wanted a JSON object with image and boxes"):
        read_annotations(folder / "annotations.jsonl")
    with pytest.raises(UserError, match=r"missing\.png is annotated but cannot be read"):
        list(read_pictures([{"image": "missing.png", "boxes": []}], folder))
    (folder / "text.png").write_text("no picture")
    with pytest.raises(UserError, match="not a picture"):
        list(read_pictures([{"image": "text.png", "boxes": []}], folder))


def test_the_split_is_the_rows_own_or_a_steady_eighth():
    assert split_of({"image": "lfw/a.jpg", "split": "val"}) == "val"
    assert split_of({"image": "lfw/a.jpg", "split": "train"}) == "train"
    names = [f"mask853/{number}.jpg" for number in range(2000)]
    held = [name for name in names if split_of({"image": name, "split": "train"}) == "val"]
    assert 0.09 < len(held) / len(names) < 0.15
    assert held == [name for name in names if split_of({"image": name}) == "val"]


def teacher_of(*faces: tuple[list[float], float]):
    """A teacher that sees these boxes (in the picture's pixels) whatever it is shown."""

    def teacher(frames):
        zoom = frames[0].shape[1] / 80
        points = np.array(POINTS, np.float32)
        return [[Face(resized(np.float32(box), zoom), resized(points + box[0], zoom), score) for box, score in faces]]

    return teacher


def test_a_teacher_adds_landmarks_faces_and_doubts(folder):
    one, two = read_pictures(read_annotations(folder / "annotations.jsonl"), folder)
    teacher = teacher_of(([55, 5, 70, 20], 0.9), ([0, 40, 15, 58], 0.9), ([60, 40, 75, 55], 0.2))
    complete = taught(one, teacher)
    assert complete.boxes.tolist() == one.boxes.tolist()  # all its faces are boxed: no more come
    np.testing.assert_allclose(complete.landmarks[1], np.array(POINTS) + 55, rtol=1e-5)
    np.testing.assert_allclose(complete.landmarks[0], POINTS)  # hand-made ones stay
    assert len(complete.ignore) == 0
    partial = taught(two, teacher)
    np.testing.assert_allclose(partial.boxes, [[55, 5, 70, 20], [0, 40, 15, 58]], rtol=1e-5)
    np.testing.assert_allclose(partial.ignore, [[60, 40, 75, 55]], rtol=1e-5)
    assert partial.landmarks.shape == (2, 5, 2)


def test_landmarks_no_hand_has_set_give_way_to_the_surest_face_of_the_teacher(folder):
    (row,) = read_annotations(folder / "annotations.jsonl")[:1]
    (estimated,) = read_pictures([row | {"gt": False}], folder)
    assert not estimated.by_hand
    teacher = teacher_of(([10, 10, 50, 50], 0.9), ([12, 10, 50, 50], 0.5))
    points = taught(estimated, teacher).landmarks
    np.testing.assert_allclose(points[0], np.array(POINTS) + 10, rtol=1e-5)
    assert np.isnan(points[1]).all()


def test_the_eye_frame_turns_and_grows_with_the_face():
    points = np.array(POINTS, np.float32)
    assert eye_frame(points).tolist() == [[20, 0], [0, 20]]
    quarter_turned = 3 * points[:, ::-1] * [-1, 1]  # what was to the right is below, what was below is to the left
    assert eye_frame(quarter_turned).tolist() == [[0, 60], [-60, 0]]


def test_a_teachers_habit_is_measured_in_the_faces_own_frame_and_taken_off():
    habit = np.array([[0.02, 0.03], [0.0, 0.01], [-0.02, 0.05], [0.1, 0.0], [0.0, -0.1]])

    def seen_by_hand(turn_deg: float, side: float) -> Picture:
        turn = np.deg2rad(turn_deg)
        turned = (np.array(POINTS) - 30) * side / 40 @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
        picture = np.zeros((320, 320, 3), np.uint8)
        picture[0, 0] = int(turn_deg), int(side), 0  # tells the teacher which it is
        box = [[160 - side, 160 - side, 160 + side, 160 + side]]
        none = np.empty((0, 4), np.float32)
        return Picture("p", picture, np.float32(box), turned[None] + 160, none, none, complete=False)

    pictures = [seen_by_hand(turn, side) for turn, side in ((0, 40), (30, 80), (50, 120))]

    def teacher(frames):
        picture = seen_by_hand(*frames[0][0, 0, :2].astype(float))
        points = picture.landmarks[0]
        return [[Face(picture.boxes[0], points + habit @ eye_frame(points), 0.9)]]

    found = landmark_bias_of(teacher, pictures)
    np.testing.assert_allclose(found, habit, atol=1e-9)
    unmarked = Picture(**(vars(pictures[1]) | {"landmarks": np.full((1, 5, 2), np.nan)}))
    off = taught(unmarked, teacher, found).landmarks - pictures[1].landmarks
    assert np.abs(off).max() < 0.05 * 0.1 * 40  # of 4 pixels; the eyes it sees are turned a little: no exact inverse
    assert landmark_bias_of(teacher, [unmarked]) is NO_BIAS


def test_a_face_found_in_an_enlarged_crop_is_where_it_was_in_the_crop():
    """The brightest point of a smooth spot, found in the enlarged picture as a teacher would find it."""
    y, x = np.mgrid[:80, :80]
    spot = np.exp(-((x - 30.3) ** 2 + (y - 41.6) ** 2) / 50)
    picture = Picture(
        "p", (255 * spot[..., None].repeat(3, 2)).astype(np.uint8), *[np.empty((0, 4))] * 4, complete=True
    )

    def teacher(frames):
        weight = frames[0][..., 0].astype(float) ** 2
        rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
        centre = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
        return [[Face(np.tile(centre, 2), np.tile(centre, (5, 1)), 0.9)]]

    (face,) = faces_seen(picture, teacher)
    np.testing.assert_allclose(face.landmarks_xy[0], [30.3, 41.6], atol=0.03)
