"""EmotionPipeline: the stages joined, in one batch, with and without heat and tracks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from pipeline.crops import crop_faces
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker
from retinaface.face import Face
from support import UserError


@pytest.fixture(scope="module")
def pipeline() -> EmotionPipeline:
    return EmotionPipeline.from_files()


@pytest.fixture(scope="module")
def frames(portrait) -> list[np.ndarray]:
    """One face, three faces, none."""
    small = cv2.resize(portrait[:256, 96:352], (180, 180), interpolation=cv2.INTER_AREA)
    return [portrait, np.tile(small, (1, 3, 1)), np.full((90, 120, 3), 150, np.uint8)]


def test_pictures_in_everything_out(pipeline, frames):
    results = pipeline(frames)
    assert [len(result.faces) for result in results] == [1, 3, 0]
    for frame, result in zip(frames, results, strict=True):
        assert result.frame_rgb is frame
        for face in result.faces:
            assert face.box_xyxy.shape == (4,)
            assert face.landmarks_xy.shape == (5, 2)
            assert face.probabilities.sum() == pytest.approx(1, abs=1e-5)
            assert face.label == face.explained == result.class_names[face.probabilities.argmax()] == "happiness"
            assert face.confidence == face.probabilities.max()
            assert face.heatmap.shape == (48, 48)
            assert 0 <= face.heatmap.min() <= face.heatmap.max() <= 1 + 1e-6
            assert face.track == 0
    assert pipeline([]) == []


def test_the_numbers_are_those_of_each_face_classified_alone(pipeline, frames):
    for frame, result in zip(frames, pipeline(frames), strict=True):
        for face in result.faces:
            crops, matrices = crop_faces(frame, [face.face], size=48)
            np.testing.assert_allclose(pipeline.classifier.probabilities(crops)[0], face.probabilities, atol=1e-4)
            np.testing.assert_array_equal(matrices[0], face.to_crop)


def test_heat_costs_no_second_pass(pipeline, frames):
    passes = []
    handle = pipeline.classifier.network.register_forward_hook(lambda *_: passes.append(1))
    pipeline(frames)
    handle.remove()
    assert len(passes) == 1


def test_without_heat_the_same_probabilities(frames, pipeline):
    plain = EmotionPipeline(pipeline.detector, pipeline.classifier, explainer=None)
    for a, b in zip(plain(frames), pipeline(frames), strict=True):
        for x, y in zip(a.faces, b.faces, strict=True):
            assert x.heatmap is None
            assert x.explained is None
            np.testing.assert_allclose(x.probabilities, y.probabilities, atol=1e-5)


def test_a_named_class_is_explained_whatever_the_label(frames, pipeline):
    angry = EmotionPipeline(pipeline.detector, pipeline.classifier, explain_class="anger")
    (face,) = angry(frames[:1])[0].faces
    assert face.label == "happiness"
    assert face.explained == "anger"
    (happy,) = pipeline(frames[:1])[0].faces
    assert not np.allclose(face.heatmap, happy.heatmap, atol=0.05)


def test_what_it_does_not_know_is_refused_with_the_list(pipeline):
    with pytest.raises(UserError, match=r"no class 'joy'; its classes are neutral, happiness"):
        EmotionPipeline(pipeline.detector, pipeline.classifier, explain_class="joy")
    with pytest.raises(UserError, match=r"no explainer 'lime'; the explainers are gradcam"):
        EmotionPipeline(pipeline.detector, pipeline.classifier, explainer="lime")


class OneFace:
    """A detector whose face stays where it is, and a network's stand-in that changes its mind every frame."""

    class_names = ("calm", "glad")
    explain_layer = ""

    def __init__(self, preprocess) -> None:
        self.preprocess, self.calls = preprocess, 0

    def detect(self, frames):
        points = np.array([[30, 30], [50, 30], [40, 40], [32, 50], [48, 50]], np.float32)
        return [[Face(np.array([20, 20, 60, 60], np.float32), points, 0.9)] for _ in frames]

    def logits(self, crops):
        self.calls += 1
        p = 0.7 if self.calls % 3 else 0.2
        return torch.log(torch.tensor([[p, 1 - p]])).repeat(len(crops), 1)

    def to_probabilities(self, logits):
        return logits.softmax(dim=1)


def test_a_tracker_gives_numbers_and_calm_labels(pipeline):
    stub = OneFace(pipeline.classifier.preprocess)
    tracked = EmotionPipeline(stub.detect, stub, explainer=None, tracker=Tracker(smooth_s=0.5))
    frame = np.zeros((80, 80, 3), np.uint8)
    faces = [tracked([frame], time_s=i / 30)[0].faces[0] for i in range(30)]
    assert {face.track for face in faces} == {1}
    assert {face.label for face in faces} == {"calm"}
    assert all(face.probabilities.sum() == pytest.approx(1, abs=1e-6) for face in faces)
