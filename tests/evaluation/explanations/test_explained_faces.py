"""Explained faces: the same network and input as the classifier's; baselines that do not depend on either."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.tiny_explained_faces import tiny_explained_faces

from data.face_set import FaceSet
from evaluation.explanations import explained_faces
from evaluation.explanations.explained_faces import (
    ExplainSettings,
    baselines,
    centre_blobs,
    load_explained_faces,
    probabilities_of,
    random_maps,
)
from gradcam import hooked_forward
from models.checkpoint import SHIPPED, Checkpoint, load_checkpoint
from models.classifier import Classifier
from models.spec import find_spec
from support import UserError
from support.metrics import softmax


def face_set(rng, sizes: list[int], labels: list[int], class_names: tuple[str, ...]) -> FaceSet:
    images = [rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for size in sizes]
    votes = np.eye(len(class_names), dtype=np.float32)[labels]
    return FaceSet(images, votes, np.array(labels), tuple(map(str, range(len(sizes)))), class_names)


def test_predictions_are_those_of_the_classifier_and_classes_are_joined_by_name(rng):
    some = face_set(rng, [48, 60, 48], [0, 1, 1], ("fear", "neutral"))
    faces = load_explained_faces(load_checkpoint(SHIPPED), some)
    expected = softmax(np.concatenate([Classifier.from_file().logits(image[None]) for image in some.images]))
    np.testing.assert_allclose(faces.probabilities, expected, atol=1e-5)
    assert [faces.class_names[label] for label in faces.labels] == ["fear", "neutral", "neutral"]
    assert faces.predicted.tolist() == expected.argmax(axis=1).tolist()
    heatmaps = Classifier.from_file().forward(some.images[0][None]).heatmaps()
    np.testing.assert_allclose(faces.heatmaps(["gradcam"])["gradcam"][0], heatmaps[0], atol=1e-3)
    index = expected[0].argmax()
    assert faces.captions()[0] == f"{faces.class_names[index]} {100 * expected[0, index]:.0f} %"
    assert len(faces) == 3
    assert len(faces.rows(slice(2))) == len(faces.rows(slice(2)).images) == 2


def test_heatmaps_of_other_classes_than_the_predicted_one():
    faces = tiny_explained_faces(4)
    maps = faces.heatmaps_of_classes(["green"])
    assert list(maps) == ["green"]
    torch.testing.assert_close(maps["green"], faces.explain(faces.x, torch.ones(4).long(), ["gradcam"])["gradcam"])
    torch.testing.assert_close(maps["green"][1::2], faces.heatmaps(["gradcam"])["gradcam"][1::2])
    assert maps["green"][::2].max() == 0  # the red ones
    assert list(faces.heatmaps_of_classes(None)) == ["red", "green"]
    with pytest.raises(UserError, match="no class joy, anger; its classes are red, green"):
        faces.heatmaps_of_classes(["joy", "red", "anger"])


def test_a_network_that_warps_is_explained_over_the_crop(rng):
    torch.manual_seed(0)
    spec = find_spec("deep_emotion")
    weights = spec.build(2).state_dict()
    weights["transformer.localisation.9.bias"] = torch.tensor([0.7, 0.1, 0.1, -0.1, 0.6, 0.0])
    checkpoint = Checkpoint("deep_emotion", ("fear", "neutral"), spec.preprocess, weights)
    some = face_set(rng, [48, 48, 48], [0, 1, 1], ("fear", "neutral"))
    faces = load_explained_faces(checkpoint, some)
    expected = Classifier(checkpoint).forward(np.stack(list(some.images))).heatmaps()
    assert faces.spec.fixed_size
    assert (expected[:, 0] == 0).all(), "the first row lies outside the window that this network sees"
    np.testing.assert_allclose(faces.heatmaps(["gradcam"])["gradcam"], expected, atol=1e-4)


def test_unknown_classes_and_explainers_are_refused(rng):
    with pytest.raises(UserError, match="boredom"):
        load_explained_faces(load_checkpoint(SHIPPED), face_set(rng, [48], [0], ("boredom",)))
    with pytest.raises(UserError, match="there is no explainer lime; the explainers are gradcam"):
        ExplainSettings().load_network(["gradcam", "lime"])


def test_batches_make_no_difference(monkeypatch):
    faces = tiny_explained_faces(7)
    passed = hooked_forward(faces.network, faces.spec.explain_layer, faces.x)
    expected = torch.as_tensor(passed.heatmaps(faces.labels, "gradcam"))
    monkeypatch.setattr(explained_faces, "BATCH", 3)
    torch.testing.assert_close(faces.explain(faces.x, faces.labels, ["gradcam"])["gradcam"], expected)
    torch.testing.assert_close(faces.heatmaps(["gradcam"])["gradcam"], expected)  # all are classified correctly
    torch.testing.assert_close(probabilities_of(faces.network, faces.x), faces.probabilities)
    assert probabilities_of(faces.network, faces.x[:0]).shape == (0, 2)


def test_baselines_do_not_depend_on_the_picture():
    x = torch.rand(5, 1, 48, 48)
    found = baselines(x, seed=3)
    assert set(found) == {"random", "centre"}
    for maps in found.values():
        assert maps.shape == (5, 48, 48)
        assert 0 <= maps.min() <= maps.max() <= 1
    torch.testing.assert_close(random_maps(x, seed=3), random_maps(torch.zeros_like(x), seed=3))
    assert (random_maps(x, seed=3) - random_maps(x, seed=4)).abs().max() > 0.1
    blob = centre_blobs(x)[0]
    torch.testing.assert_close(blob, blob.flip(0).flip(1).T)
    # the Gaussian at the pixels' centres, 12 pixels being one deviation
    assert blob[24, 35].item() == pytest.approx(np.exp(-(0.5**2 + 11.5**2) / 12**2 / 2), rel=1e-5)
