"""The experiment that measures what aligning and cropping costs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from data.emotions import EMOTIONS
from data.face_set import FaceSet
from evaluation.classification.through_pipeline import Scene, accuracy_lost, mean_landmarks, owner, scenes
from pipeline.run import EmotionPipeline
from retinaface.face import Face


@pytest.fixture
def faces(portrait) -> FaceSet:
    """Seven 48-pixel pictures of the portrait's face, cut as FER+ cuts its faces."""
    picture = cv2.resize(portrait[60:172, 169:281], (48, 48), interpolation=cv2.INTER_AREA)
    return FaceSet(
        images=np.stack([picture] * 7),
        votes=np.eye(8, dtype=np.float32)[[1] * 7],
        labels=np.full(7, 1),
        names=tuple(map(str, range(7))),
        class_names=EMOTIONS,
    )


def test_every_picture_is_pasted_once_where_it_is_said(faces):
    made = list(scenes(faces))
    assert np.concatenate([scene.rows for scene in made]).tolist() == list(range(7))
    for scene in made:
        for row, (left, top, right, bottom) in zip(scene.rows, scene.squares.astype(int), strict=True):
            assert 0 <= left < right <= 640
            assert 0 <= top < bottom <= 480
            cut = cv2.resize(scene.image[top:bottom, left:right], (48, 48), interpolation=cv2.INTER_AREA)
            assert np.abs(cut.astype(int) - faces.images[row]).mean() < 8


def test_owner_is_the_square_the_face_lies_in():
    scene = Scene(np.zeros((9, 9, 3), np.uint8), np.array([4, 5]), np.array([[0, 0, 10, 10], [20, 0, 30, 10]]))

    def face(x: float, y: float) -> Face:
        return Face(np.zeros(4), np.full((5, 2), [x, y]), 1.0)

    assert owner(face(25, 5), scene) == 5
    assert owner(face(5, 9), scene) == 4
    assert owner(face(15, 5), scene) is None


def test_nothing_is_lost_on_a_clear_face(faces):
    figures = accuracy_lost(faces, EmotionPipeline.from_files(explainer=None))
    assert figures["n"] == 7
    assert figures["found"] == 1
    assert figures["accuracy_direct"] == figures["accuracy_pipeline"] == 1
    assert figures["lost_points"] == 0


def test_faces_that_are_not_found_are_errors(faces):
    pipeline = EmotionPipeline.from_files(explainer=None, score_threshold=1.1)
    figures = accuracy_lost(faces, pipeline)
    assert figures["found"] == figures["accuracy_pipeline"] == 0
    assert figures["lost_points"] == 100 * figures["accuracy_direct"]


def test_mean_landmarks_undo_the_frame_and_are_symmetric(faces):
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])

    def detector(frames):
        assert frames[0].shape == (288, 288, 3)
        skewed = points + [0.04, 0]
        return [[Face(np.zeros(4), skewed * 192 + 48 - 0.5, 0.9), Face(np.zeros(4), skewed * 0, 0.5)]]

    np.testing.assert_allclose(mean_landmarks(faces, detector), points, atol=1e-9)
