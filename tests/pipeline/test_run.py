"""EmotionPipeline: the stages joined, in one batch, with and without heat and tracks."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from helpers.tape_card import TapeCard, join_warm_up
from helpers.turned_faces import close_up

from data.sources import sample
from models.checkpoint import SHIPPED, Checkpoint
from models.classifier import Classifier
from models.engines import TorchEngine as Classification
from models.preprocess import CROP_TEMPLATE
from models.spec import find_spec
from pipeline.crops import crop_faces
from pipeline.options import PredictOptions
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker
from retinaface.detector import RetinaFace
from retinaface.engines import TorchEngine as Detection
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


def test_faces_are_cut_from_the_whole_frame_however_small_it_is_searched(pipeline, portrait, monkeypatch):
    detector = RetinaFace.from_file(imgsz=160)
    cut, forward = [], pipeline.classifier.engine.forward
    monkeypatch.setattr(pipeline.classifier.engine, "forward", lambda crops: cut.append(crops) or forward(crops))
    (face,) = EmotionPipeline(detector, pipeline.classifier)([portrait])[0].faces
    np.testing.assert_array_equal(cut[0], crop_faces(portrait, [face.face], size=48)[0])


def test_without_heat_the_same_probabilities(frames, pipeline):
    for a, b in zip(pipeline(frames, options=PredictOptions(explainer=None)), pipeline(frames), strict=True):
        for x, y in zip(a.faces, b.faces, strict=True):
            assert x.heatmap is None
            assert x.explained is None
            np.testing.assert_allclose(x.probabilities, y.probabilities, atol=1e-5)


def test_what_it_does_not_know_is_refused_with_the_list(pipeline):
    with pytest.raises(UserError, match=r"no class 'joy'; its classes are neutral, happiness"):
        EmotionPipeline(pipeline.detector, pipeline.classifier, options=PredictOptions(explain_class="joy"))
    with pytest.raises(UserError, match=r"no class 'joy'"):
        pipeline([], options=PredictOptions(explain_class="joy"))


class OneFace:
    """A detector whose face stays where it is, and a network's stand-in that changes its mind every frame."""

    class_names = ("calm", "glad")
    size_hw = (48, 48)
    windows = None

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, frames):
        points = np.array([[30, 30], [50, 30], [40, 40], [32, 50], [48, 50]], np.float32)
        return [[Face(np.array([20, 20, 60, 60], np.float32), points, 0.9)] for _ in frames]

    def forward(self, crops, *, tta):
        self.calls += 1
        p = 0.7 if self.calls % 3 else 0.2
        self.probabilities = np.float32([[p, 1 - p]]).repeat(len(crops), axis=0)
        return self

    def heatmaps(self, class_index, method):
        return np.full((len(class_index), 48, 48), class_index[:, None, None], np.float32)


def test_explaining_anew_leaves_what_was_predicted(pipeline, frames):
    before = pipeline(frames)[1]
    options = PredictOptions(explainer="hirescam", explain_class="fear")
    after, fresh = pipeline.explain(before, options), pipeline(frames, options=options)[1]
    assert pipeline.explain(after, options) is after
    assert after.explainer == "hirescam"
    for old, new, expected in zip(before.faces, after.faces, fresh.faces, strict=True):
        assert new.explained == "fear"
        assert (new.label, new.probabilities, new.face) == (old.label, old.probabilities, old.face)
        np.testing.assert_allclose(new.heatmap, expected.heatmap, atol=1e-4)
    other = dataclasses.replace(options, explainer="gradcam++")
    anew, fresh = pipeline.explain(after, other), pipeline(frames, options=other)[1]
    np.testing.assert_allclose(anew.faces[0].heatmap, fresh.faces[0].heatmap, atol=1e-4)
    none = pipeline.explain(after, PredictOptions(explainer=None))
    assert {face.heatmap for face in none.faces} == {face.explained for face in none.faces} == {None}
    nobody = pipeline(frames)[2]
    assert pipeline.explain(nobody, options).faces == ()


def test_one_thread_may_predict_while_another_explains_anew(pipeline, frames):
    """As a key does while frames run. In torch both lift activations out of the same network."""
    pipeline = EmotionPipeline(pipeline.detector, Classifier.from_file(engine="torch"))
    three, faces, fear = frames[1], pipeline.detect(frames[:1]), PredictOptions(explain_class="fear")
    (before,) = pipeline([three], options=fear)
    label = PredictOptions()
    expected = [
        face.heatmap for result in (pipeline.explain(before, label), *pipeline(frames[:1])) for face in result.faces
    ]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(15):
            anew = pool.submit(pipeline.explain, before, label)
            predicted = pool.submit(pipeline.predict, frames[:1], faces)
            heatmaps = [face.heatmap for result in (anew.result(), *predicted.result()) for face in result.faces]
            np.testing.assert_allclose(heatmaps, expected, atol=1e-4)


def test_a_tracker_gives_numbers_and_calm_labels_that_heatmaps_are_for():
    stub, options = OneFace(), PredictOptions(smooth_s=0.5)
    tracked = EmotionPipeline(stub, stub, tracker=Tracker(), options=options)
    frame = np.zeros((80, 80, 3), np.uint8)
    faces = [tracked([frame], time_s=i / 30)[0].faces[0] for i in range(30)]
    assert {face.track for face in faces} == {1}
    assert {face.label for face in faces} == {face.explained for face in faces} == {"calm"}
    assert not any(face.heatmap.any() for face in faces)  # the stand-in's heatmaps hold the index of the class
    assert all(face.probabilities.sum() == pytest.approx(1, abs=1e-6) for face in faces)
    stub.calls = 0
    fresh = EmotionPipeline(stub, stub, tracker=Tracker(), options=options)
    assert {face.track for face in fresh([frame])[0].faces} == {0}  # no time, no track
    stub.calls = 2
    rough = [fresh([frame], time_s=i / 30, options=PredictOptions(smooth_s=0))[0].faces[0].label for i in range(3)]
    assert rough == ["glad", "calm", "calm"]


@pytest.mark.parametrize("together", [True, False])
def test_after_a_cut_the_next_person_has_a_number_and_an_expression_of_their_own(pipeline, portrait, together):
    """Eileen Collins smiles; Grace Hopper, at the same place in the frame after, does not. Also within one batch."""
    smiling, grave = close_up(portrait, (224, 116), 106), close_up(sample.portrait("hopper"), (257, 190), 190)
    film = [*[smiling] * 6, *[grave] * 6]
    tracked = EmotionPipeline(pipeline.detector, pipeline.classifier, tracker=Tracker())
    times_s = [i / 25 for i in range(len(film))]
    if together:
        results = tracked(film, time_s=times_s)
    else:
        results = [tracked([frame], time_s=time_s)[0] for frame, time_s in zip(film, times_s, strict=True)]
    faces = [face for result in results for face in result.faces]
    assert [face.track for face in faces] == [1] * 6 + [2] * 6
    (alone,) = pipeline([grave])[0].faces
    np.testing.assert_allclose(faces[6].probabilities, alone.probabilities, atol=1e-4)
    np.testing.assert_allclose(faces[6].box_xyxy, alone.box_xyxy, atol=1e-2)
    np.testing.assert_allclose(faces[6].landmarks_xy, alone.landmarks_xy, atol=1e-2)
    assert faces[5].label == "happiness" != faces[6].label


def test_a_new_film_is_told(pipeline, portrait):
    """The same picture twice is one person's, until it is said that another film begins."""
    tracked = EmotionPipeline(pipeline.detector, pipeline.classifier, tracker=Tracker())
    film = [close_up(portrait, (224, 116), 106)] * 3
    results = tracked.predict(film, tracked.detect(film), time_s=[0, 0.04, 0.08], new_scene=[True, False, True])
    assert [face.track for result in results for face in result.faces] == [1, 1, 2]
    (result,) = tracked.predict(film[:1], [None], time_s=0.12, new_scene=True)
    assert result.faces == ()


def test_several_frames_of_a_film_want_a_time_each(pipeline, portrait):
    tracked = EmotionPipeline(pipeline.detector, pipeline.classifier, tracker=Tracker())
    for time_s in (1.0, [1.0], [1.0, 2.0, 3.0], [1.0, float("nan")]):
        with pytest.raises(UserError, match="one time a frame, 2 in all"):
            tracked([portrait[:100, :100]] * 2, time_s=time_s)
    assert tracked([], time_s=1.0) == []


def test_what_bounded_the_search_is_said(pipeline, portrait):
    small = cv2.resize(portrait[:256, 96:352], (180, 180), interpolation=cv2.INTER_AREA)
    frame = np.tile(small, (2, 3, 1))
    detector = RetinaFace.from_file(max_faces=4, imgsz=256)
    bounded = EmotionPipeline(detector, pipeline.classifier, tracker=Tracker())
    (found,) = bounded.detect([frame], imgsz=[None])
    (result,) = bounded.predict([frame], [found], time_s=0.0)
    (repeated,) = bounded.predict([frame], [None], time_s=0.04)
    for one in (result, repeated):
        assert (len(one.faces), len(one.left_out), one.reduced) == (4, 2, 1)
        assert one.limits == {"--max-faces": "4 of 6 faces; --max-faces"}
    detector.max_faces = None
    (reduced,) = bounded([frame])
    assert reduced.reduced == pytest.approx(540 / 256)
    assert reduced.limits == {"--imgsz": "searched at 256 of 540 px; --imgsz"}
    (none,) = bounded([np.full_like(frame, 128)])
    assert (none.faces, none.limits) == ((), reduced.limits)
    (own,) = pipeline([frame])
    assert own.limits == dataclasses.replace(reduced, reduced=2.0).limits == {}


def test_several_checkpoints_with_mirror_images_read_and_explain_as_one(pipeline, frames):
    """Two of the same are as one; the numbers are those of the classifier asked for both views."""
    options = PredictOptions(tta=True, explain_class="anger")
    several = EmotionPipeline.from_files(weights=[SHIPPED, SHIPPED], options=options)
    assert len(several.classifier.members) == 2
    index = pipeline.classifier.class_names.index("anger")
    for frame, result in zip(frames, several(frames), strict=True):
        for face in result.faces:
            crops, _ = crop_faces(frame, [face.face], size=48)
            wanted = pipeline.classifier.forward(crops, tta=True)
            np.testing.assert_allclose(face.probabilities, wanted.probabilities[0], atol=1e-4)
            np.testing.assert_allclose(face.heatmap, wanted.heatmaps(index)[0], atol=1e-3)
            assert face.explained == "anger"
            assert face.window_xy is None
    (plain,) = several(frames[:1], options=dataclasses.replace(options, explainer=None))
    anew, fresh = several.explain(plain, options), several(frames[:1])[0]
    np.testing.assert_allclose(anew.faces[0].heatmap, fresh.faces[0].heatmap, atol=1e-4)


def test_another_detector_takes_the_place_of_the_shipped_one(portrait):
    pipeline = EmotionPipeline.from_files(detector=(nobody := lambda frames: [[] for _ in frames]))
    assert pipeline.detector is nobody
    assert pipeline([portrait])[0].faces == ()


def test_the_window_that_a_network_attends_lies_in_the_frame():
    """Crops of 48 pixels are cut from squares of 96 at (100, 50); the window is columns 18 to 41, rows 0 to 23."""
    spec = find_spec("deep_emotion")
    weights = spec.build(2).state_dict()
    weights["transformer.localisation.9.bias"][:] = torch.tensor([0.5, 0, 0.25, 0, 0.5, -0.5])
    classifier = Classifier(Checkpoint("deep_emotion", ("calm", "glad"), spec.preprocess, weights))
    points = (CROP_TEMPLATE * 96 + [100, 50] - 0.5).astype(np.float32)
    face = Face(np.array([100, 50, 196, 146], np.float32), points, 0.9)
    attending = EmotionPipeline(lambda frames: [[face]] * len(frames), classifier)
    frame = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    expected = [[135.5, 49.5], [183.5, 49.5], [183.5, 97.5], [135.5, 97.5]]
    for result in attending([frame, frame]):
        np.testing.assert_allclose(result.faces[0].window_xy, expected, atol=0.01)
    none = attending.explain(result, PredictOptions(explainer=None))
    plain = attending([frame], options=PredictOptions(explainer=None))[0]
    assert none.faces[0].window_xy is plain.faces[0].window_xy is None
    anew = attending.explain(none, PredictOptions(explainer="hirescam"))
    np.testing.assert_allclose(anew.faces[0].window_xy, expected, atol=0.01)


def test_on_a_card_it_detects_predicts_and_explains_as_on_a_cpu_from_replays_alone():
    """The card is a tape of kernels on the CPU."""
    frames = [cv2.resize(sample.sample_frame(0), (320, 240)), np.zeros((240, 320, 3), np.uint8)]
    plain = EmotionPipeline.from_files(engine="torch")
    wanted = [plain([frame])[0] for frame in frames]
    cards = TapeCard(), TapeCard()
    detector = RetinaFace.from_file(engine="torch")
    classifier = Classifier.from_file(engine="torch", prior="balanced")
    engine = classifier.engine
    place = {"layer": engine.layer, "cells": engine.cells}
    detector.engine = Detection(detector.engine.network, card=cards[0])
    classifier.engine = Classification(engine.network, engine.preprocess, device="cpu", card=cards[1], **place)
    pipeline = EmotionPipeline(detector, classifier)
    pipeline.warm_up([(240, 320)], amp=False)
    join_warm_up()
    cards[1].replays = 0
    passes = []
    engine.network.register_forward_hook(lambda *given: passes.append(1))
    found = [pipeline([frame])[0] for frame in frames]
    assert passes == []
    assert [len(result.faces) for result in found] == [len(result.faces) for result in wanted]
    assert len(found[0].faces) >= 2
    for one, other in zip(found[0].faces, wanted[0].faces, strict=True):
        assert one.label == other.label
        np.testing.assert_allclose(one.box_xyxy, other.box_xyxy, atol=1e-2)
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)
        np.testing.assert_allclose(one.heatmap, other.heatmap, atol=1e-3)
    assert cards[1].replays == 1  # the frame without a face needs none
