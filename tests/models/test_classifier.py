"""The classifier: batches, temperature, mirror views, its two engines, and the shipped checkpoint on a real face."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from data.emotions import EMOTIONS
from gradcam import EXPLAINERS
from models.checkpoint import Checkpoint
from models.classifier import BATCH, Classifier, predict_logits
from models.onnx_engine import OnnxEngine
from models.spec import find_spec
from models.torch_engine import TorchEngine
from support import UserError

SPEC = find_spec("small_resnet18_w32")


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    weights = SPEC.build(4).state_dict()
    return Checkpoint(
        "small_resnet18_w32", tuple("abcd"), SPEC.preprocess, weights, 0.5, class_bias=(0.0, 0.1, 0.2, 0.0)
    )


@pytest.fixture(scope="module", params=["onnx", "torch"])
def classifier(checkpoint, request) -> Classifier:
    return Classifier(checkpoint, calibrated=True, engine=request.param)


@pytest.fixture
def crops(rng) -> np.ndarray:
    return rng.integers(0, 256, (5, 48, 48, 3), dtype=np.uint8)


def test_rows_are_probabilities_of_logits_and_bias_over_the_temperature(classifier, checkpoint, crops):
    found = classifier.probabilities(crops)
    assert found.shape == (5, 4)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    logits = checkpoint.build()(SPEC.preprocess(crops)).detach().numpy() + [0, 0.1, 0.2, 0]
    expected = np.exp(logits / 0.5) / np.exp(logits / 0.5).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_crowds_shares_are_the_plain_softmax(classifier, checkpoint, crops):
    logits = classifier.logits(crops)
    expected = torch.from_numpy(logits).softmax(dim=1)
    np.testing.assert_allclose(Classifier(checkpoint).to_probabilities(logits), expected, rtol=1e-5)


def test_one_by_one_is_the_same_as_together_and_nothing_gives_nothing(classifier, crops):
    one_by_one = np.concatenate([classifier.probabilities(crop[None]) for crop in crops])
    np.testing.assert_allclose(classifier.probabilities(crops), one_by_one, atol=1e-5)
    assert classifier.probabilities(crops[:0]).shape == (0, 4)


def test_more_than_a_batch_and_crops_of_several_sizes(classifier, checkpoint, rng):
    many = rng.integers(0, 256, (BATCH + 3, 8, 8, 3), dtype=np.uint8)
    logits = classifier.logits(many)
    assert logits.shape == (BATCH + 3, 4)
    last = predict_logits(checkpoint.build(), SPEC.preprocess, many[-4:], device="cpu")
    np.testing.assert_allclose(logits[-4:], last, atol=1e-4)
    mixed = [many[0], rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)]
    assert classifier.probabilities(mixed).shape == (2, 4)


def test_mirror_views_make_the_answer_symmetric(classifier, crops):
    found = classifier.probabilities(crops, tta=True)
    np.testing.assert_allclose(found, classifier.probabilities(crops[:, :, ::-1], tta=True), atol=1e-6)
    both = classifier.probabilities(crops) + classifier.probabilities(crops[:, :, ::-1])
    np.testing.assert_allclose(found, both / 2, atol=1e-6)


@pytest.mark.parametrize("name", ["small_resnet18_w32", "resnet18"])
def test_in_onnx_runtime_heat_without_a_backward_pass_is_that_of_hooks(rng, name):
    spec = find_spec(name)
    torch.manual_seed(1)
    network = spec.build(3)
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.0)  # small_resnet's blocks start as their shortcut
        norm.running_var.uniform_(0.5, 1.5)
    one = Checkpoint(name, tuple("abc"), spec.preprocess, network.state_dict())
    onnx, hooks = (Classifier(one, engine=engine) for engine in ("onnx", "torch"))
    assert isinstance(onnx.engine, OnnxEngine)
    crops = rng.integers(0, 256, (3, 60, 60, 3), dtype=np.uint8)
    wanted_class = [2, 0, 2]
    for method in EXPLAINERS:
        found, wanted = (c.explained(crops, class_index=lambda _: wanted_class, method=method) for c in (onnx, hooks))
        assert wanted.heatmaps.max() > 0.9, "nothing is compared"
        assert found.class_index.tolist() == wanted.class_index.tolist() == wanted_class
        np.testing.assert_allclose(
            onnx.to_probabilities(found.logits), hooks.to_probabilities(wanted.logits), atol=1e-5
        )
        np.testing.assert_allclose(found.heatmaps, wanted.heatmaps, atol=1e-5, err_msg=method)


def test_each_row_is_explained_for_the_class_chosen_from_its_logits(classifier, crops):
    found = classifier.explained(crops)
    assert found.heatmaps.shape == (5, 48, 48)
    assert {array.dtype for array in (found.logits, found.heatmaps)} == {np.dtype(np.float32)}
    assert found.class_index.dtype == np.int64
    np.testing.assert_allclose(found.logits, classifier.logits(crops), atol=1e-6)
    np.testing.assert_array_equal(found.class_index, found.logits.argmax(axis=1))
    least = classifier.explained(crops, class_index=lambda logits: logits.argmin(axis=1))
    np.testing.assert_array_equal(least.class_index, found.logits.argmin(axis=1))
    nothing = classifier.explained(crops[:0])
    assert (nothing.logits.shape, nothing.heatmaps.shape, nothing.class_index.shape) == ((0, 4), (0, 48, 48), (0,))


def test_a_reading_is_that_of_probabilities_and_of_explained(classifier, crops):
    least = classifier.read(crops, method="hirescam", choose=lambda probabilities: probabilities.argmin(axis=1))
    np.testing.assert_allclose(least.probabilities, classifier.probabilities(crops), atol=1e-6)
    np.testing.assert_array_equal(least.class_index, least.probabilities.argmin(axis=1))
    wanted = classifier.explained(crops, class_index=lambda _: least.class_index, method="hirescam")
    np.testing.assert_array_equal(least.heatmaps, wanted.heatmaps)
    plain = classifier.read(crops)
    np.testing.assert_array_equal(plain.probabilities, classifier.probabilities(crops))
    assert plain.heatmaps is plain.class_index is plain.windows is None
    nothing = classifier.read(crops[:0], method="gradcam", tta=True)
    assert [len(array) for array in (nothing.probabilities, nothing.heatmaps, nothing.class_index)] == [0, 0, 0]


def test_with_mirror_images_heat_is_the_mean_of_both_and_of_a_symmetric_picture_symmetric(classifier, crops):
    found = classifier.read(crops, method="attention", tta=True)
    np.testing.assert_allclose(found.probabilities, classifier.probabilities(crops, tta=True), atol=1e-6)
    np.testing.assert_array_equal(found.class_index, found.probabilities.argmax(axis=1))
    one, other = (classifier.explained(view, method="attention").heatmaps for view in (crops, crops[:, :, ::-1]))
    assert not np.allclose(one, other[:, :, ::-1], atol=0.05), "nothing is averaged"
    np.testing.assert_allclose(found.heatmaps, (one + other[:, :, ::-1]) / 2, atol=1e-5)
    symmetric = np.concatenate([crops[:, :, :24], crops[:, :, 23::-1]], axis=2)
    heat = classifier.read(symmetric, method="attention", tta=True).heatmaps
    np.testing.assert_allclose(heat, heat[:, :, ::-1], atol=1e-5)


def test_other_networks_and_devices_run_in_torch_or_are_refused_with_the_reason():
    spec = find_spec("face_emotion_cnn")
    one = Checkpoint("face_emotion_cnn", ("a", "b"), spec.preprocess, spec.build(2).state_dict())
    classifier = Classifier(one)
    assert isinstance(classifier.engine, TorchEngine)
    assert classifier.explained(np.zeros((1, 48, 48, 3), np.uint8)).heatmaps.shape == (1, 48, 48)
    with pytest.raises(UserError, match="onnx cannot run face_emotion_cnn: above the layer to explain"):
        Classifier(one, engine="onnx")
    with pytest.raises(UserError, match="CPU only"):
        Classifier(one, engine="onnx", device="mps")


def test_the_shipped_checkpoint_reads_a_smile(portrait):
    classifier = Classifier.from_file()
    assert classifier.class_names == EMOTIONS
    probabilities = classifier.probabilities(portrait[None, 60:172, 169:281])
    assert EMOTIONS[probabilities[0].argmax()] == "happiness"
    assert isinstance(classifier.engine, OnnxEngine)
