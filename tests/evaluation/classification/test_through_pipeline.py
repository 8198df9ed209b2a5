"""The accuracy that detection, alignment and cropping cost."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from data.face_set import FaceSet
from evaluation.classification.through_pipeline import Scene, accuracy_lost, mean_landmarks, pasted_row, scenes
from pipeline.options import PredictOptions
from pipeline.run import EmotionPipeline
from retinaface.face import Face
from support import UserError
from support.emotions import EMOTIONS


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
    made = list(scenes(faces.images))
    assert np.concatenate([scene.rows for scene in made]).tolist() == list(range(7))
    for scene in made:
        for row, (left, top, right, bottom) in zip(scene.rows, scene.boxes_xyxy.astype(int), strict=True):
            assert 0 <= left < right <= 640
            assert 0 <= top < bottom <= 480
            cut = cv2.resize(scene.image[top:bottom, left:right], (48, 48), interpolation=cv2.INTER_AREA)
            assert np.abs(cut.astype(int) - faces.images[row]).mean() < 8


def test_the_pasted_picture_is_the_one_that_the_face_lies_in():
    scene = Scene(np.zeros((9, 9, 3), np.uint8), np.array([4, 5]), np.array([[0, 0, 10, 10], [20, 0, 30, 10]]))

    def face(x: float, y: float) -> Face:
        return Face(np.zeros(4), np.full((5, 2), [x, y]), 1.0)

    assert pasted_row(face(25, 5), scene) == 5
    assert pasted_row(face(5, 9), scene) == 4
    assert pasted_row(face(15, 5), scene) is None


def test_no_accuracy_is_lost_on_a_clear_face(faces):
    report = accuracy_lost(faces, EmotionPipeline.from_files(options=PredictOptions(explainer=None)))
    assert report["n"] == 7
    assert report["detected"] == 1
    assert report["accuracy_direct"] == report["accuracy_pipeline"] == 1
    assert report["lost_points"] == 0


def test_classes_are_compared_by_name(faces):
    own = replace(faces, labels=np.zeros(7, int), votes=np.ones((7, 2), np.float32), class_names=("happiness", "fear"))
    report = accuracy_lost(own, EmotionPipeline.from_files(options=PredictOptions(explainer=None)))
    assert report["accuracy_direct"] == report["accuracy_pipeline"] == 1


def test_faces_that_are_not_detected_are_errors(faces):
    pipeline = EmotionPipeline.from_files(options=PredictOptions(explainer=None), conf=1.0)
    report = accuracy_lost(faces, pipeline)
    assert report["detected"] == report["accuracy_pipeline"] == 0
    assert report["lost_points"] == 100 * report["accuracy_direct"]


def test_mean_landmarks_undo_the_frame_and_are_symmetric(faces):
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])

    def detector(frames):
        assert frames[0].shape == (288, 288, 3)
        skewed = points + [0.04, 0]
        return [[Face(np.zeros(4), skewed * 192 + 48 - 0.5, 0.9), Face(np.zeros(4), skewed * 0, 0.5)]]

    np.testing.assert_allclose(mean_landmarks(faces.images, detector), points, atol=1e-9)


def test_without_a_detected_face_there_are_no_mean_landmarks(faces):
    with pytest.raises(UserError, match="no face was detected"):
        mean_landmarks(faces.images, lambda frames: [[] for _ in frames])
