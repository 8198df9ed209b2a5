"""The classifier: batches, temperature, mirror views, its two engines, and the shipped checkpoint on a real face."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.exported import classifier_in
from torch import nn

from gradcam import EXPLAINERS
from models.checkpoint import Checkpoint, save_checkpoint
from models.classifier import BATCH, Classifier, check_crop, explanation_of, predict_logits
from models.engines import OnnxEngine, TorchEngine
from models.export import export_checkpoint
from models.preprocess import CROP_TEMPLATE
from models.spec import find_spec
from support import UserError
from support.emotions import EMOTIONS

SPEC = find_spec("small_resnet18_w32")


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    weights = SPEC.build(4).state_dict()
    return Checkpoint(
        "small_resnet18_w32", tuple("abcd"), SPEC.preprocess, weights, 0.5, class_bias=(0.0, 0.1, 0.2, 0.0)
    )


@pytest.fixture(scope="module", params=["onnx", "torch"])
def classifier(checkpoint, request, tmp_path_factory) -> Classifier:
    return classifier_in(request.param, checkpoint, tmp_path_factory.mktemp("c"), confidence="label")


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


def test_each_confidence_and_prior_from_the_logits_of_one_pass(checkpoint, crops, tmp_path, capsys):
    """The prior of the training is taken out of both confidences alike, so they name the same class."""
    known = dataclasses.replace(
        checkpoint, crowd_temperature=2.0, class_prior=(0.7, 0.2, 0.1, 0.0), prior_tau=0.5, temperature=0.25
    )
    logits, zero = Classifier(known).logits(crops), np.zeros(4)
    push = np.array([0, 0.5 * np.log(0.7 / 0.2), 0.5 * np.log(7), 0])
    for confidence, prior, bias, temperature in (
        ("crowd", "dataset", zero, 2.0),
        ("label", "dataset", np.array(known.class_bias), 0.25),
        ("crowd", "balanced", push, 2.0),
        ("label", "balanced", push, 0.25),
    ):
        expected = torch.from_numpy((logits + bias) / temperature).softmax(dim=1)
        found = Classifier(known, confidence=confidence, prior=prior)
        np.testing.assert_allclose(found.probabilities(crops), expected, atol=1e-5)
        np.testing.assert_allclose(found.forward(crops).probabilities, expected, atol=1e-5)
        other = Classifier(known).to_probabilities(logits, confidence="label")
        np.testing.assert_allclose(other, Classifier(known, confidence="label").probabilities(crops), atol=1e-5)
    with pytest.raises(UserError, match="--prior takes dataset or balanced, not 'none'"):
        Classifier(known, prior="none")
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, checkpoint)
    assert Classifier.from_file(path, prior="balanced").prior == "dataset"
    assert "c.safetensors does not know how often its training showed each class" in capsys.readouterr().err
    few = dataclasses.replace(known, prior_tau=0.0, scores={"not_calibrated": ["7 faces are too few"]})
    save_checkpoint(path, few)
    assert Classifier.from_file(path, prior="balanced").prior == "dataset"
    assert "c.safetensors is not calibrated (7 faces are too few), so that prior stays in" in capsys.readouterr().err
    for tau in (0.5, 0.0):  # validation may find nothing to take out
        save_checkpoint(path, dataclasses.replace(known, prior_tau=tau))
        assert Classifier.from_file(path, prior="balanced").prior == "balanced"
    assert "that prior stays in" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entry", "value", "sentence"),
    [
        ("head", [[None]], "head must have 2 rows"),
        ("head", [[None], [0]], "a row of head must be a finite number, not None"),
        ("head", [[0, 1], [0]], "a row of head must be 2 numbers"),
        ("cells", [0], "cells must be 2 numbers"),
        ("cells", [0, 0], "the step of cells must be a finite number above 0"),
    ],
)
def test_what_explains_in_an_onnx_file_is_checked(entry, value, sentence):
    metadata = {"head": [[0, 1], [1, 0]], "cells": [0, 8]}
    head, cells = explanation_of(metadata, 2, path=Path("x.onnx"))
    assert head.tolist() == metadata["head"]
    assert cells == (0, 8)
    assert explanation_of({"head": None, "cells": None}, 2, path=Path("x.onnx")) == (None, None)
    with pytest.raises(UserError, match=f"^x.onnx .*{sentence}"):
        explanation_of(metadata | {entry: value}, 2, path=Path("x.onnx"))


def test_a_file_for_other_crops_is_refused(monkeypatch):
    template = CROP_TEMPLATE.tolist()
    check_crop({"crop_template": template}, path=Path("a.onnx"))
    check_crop({}, path=Path("a.onnx"))
    shifted = [[x, y + 0.01] for x, y in template]
    with pytest.raises(UserError, match=r"a\.onnx was exported for faces that are cropped in another way"):
        check_crop({"crop_template": shifted}, path=Path("a.onnx"))
    monkeypatch.setattr("models.classifier.CROP_TEMPLATE", CROP_TEMPLATE + 0.01)
    with pytest.raises(UserError, match="was exported for faces that are cropped in another way"):
        Classifier.from_file(engine="onnx")


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
    large = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    mixed = classifier.probabilities([many[0], large, large, many[1]])
    assert mixed.shape == (4, 4)
    one_by_one = np.concatenate([classifier.probabilities(crop[None]) for crop in (many[0], large, large, many[1])])
    np.testing.assert_allclose(mixed, one_by_one, atol=1e-5)


def test_a_pass_asks_once_for_each_crop_since_it_may_be_decoded_then(classifier, crops):
    decoded = []
    found = classifier.logits(decoded.append(row) or crop for row, crop in enumerate(crops))
    assert decoded == list(range(len(crops)))
    np.testing.assert_array_equal(found, classifier.logits(crops))


def test_mirror_views_make_the_answer_symmetric(classifier, crops):
    found = classifier.probabilities(crops, tta=True)
    np.testing.assert_allclose(found, classifier.probabilities(crops[:, :, ::-1], tta=True), atol=1e-6)
    both = classifier.probabilities(crops) + classifier.probabilities(crops[:, :, ::-1])
    np.testing.assert_allclose(found, both / 2, atol=1e-6)


@pytest.mark.parametrize("name", ["small_resnet18_w32", "resnet18"])
def test_in_onnx_runtime_heatmaps_without_a_backward_pass_are_those_of_hooks(rng, name, tmp_path):
    spec = find_spec(name)
    torch.manual_seed(1)
    network = spec.build(3)
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.0)  # small_resnet's blocks start as their shortcut
        norm.running_var.uniform_(0.5, 1.5)
    one = Checkpoint(name, tuple("abc"), spec.preprocess, network.state_dict())
    onnx, hooks = (classifier_in(engine, one, tmp_path) for engine in ("onnx", "torch"))
    assert isinstance(onnx.engine, OnnxEngine)
    crops = rng.integers(0, 256, (3, 60, 60, 3), dtype=np.uint8)
    found, wanted = onnx.forward(crops), hooks.forward(crops)
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-5)
    for method in EXPLAINERS:
        heatmaps = wanted.heatmaps([2, 0, 2], method)
        assert heatmaps.max() > 0.9, "nothing is compared"
        np.testing.assert_allclose(found.heatmaps([2, 0, 2], method), heatmaps, atol=1e-5, err_msg=method)


def test_a_forward_pass_holds_logits_and_probabilities_and_is_explained_afterwards(classifier, crops):
    found = classifier.forward(crops)
    np.testing.assert_allclose(found.logits, classifier.logits(crops), atol=1e-6)
    np.testing.assert_allclose(found.probabilities, classifier.probabilities(crops), atol=1e-6)
    assert {array.dtype for array in (found.logits, found.probabilities)} == {np.dtype(np.float32)}
    heatmaps = found.heatmaps()
    assert (heatmaps.shape, heatmaps.dtype) == ((5, 48, 48), np.float32)
    np.testing.assert_array_equal(heatmaps, found.heatmaps(found.probabilities.argmax(axis=1)))
    np.testing.assert_array_equal(found.heatmaps(1), found.heatmaps(np.full(5, 1)))
    alone = classifier.forward(crops[2:3]).heatmaps(3, "hirescam")
    np.testing.assert_allclose(found.heatmaps([0, 1, 3, 2, 0], "hirescam")[2:3], alone, atol=1e-4)
    assert found.windows is None
    with pytest.raises(IndexError, match="0 to 3"):
        found.heatmaps(4)
    nothing = classifier.forward(crops[:0], tta=True)
    assert [array.shape for array in (nothing.logits, nothing.probabilities)] == [(0, 4), (0, 4)]
    assert nothing.heatmaps().shape == (0, 48, 48)


def test_the_most_probable_class_is_that_of_the_label_reading(checkpoint, crops, tmp_path):
    """A class bias moves it: heatmaps are then for the class that is shown, not for the highest logit."""
    biased = Checkpoint(*list(vars(checkpoint).values())[:4], class_bias=(0.0, 0.0, 0.0, 99.0))
    found = classifier_in("onnx", biased, tmp_path, confidence="label").forward(crops)
    assert (found.probabilities.argmax(axis=1) == 3).all()
    assert (found.logits.argmax(axis=1) != 3).any()
    np.testing.assert_array_equal(found.heatmaps(), found.heatmaps(3))


def test_with_mirror_images_heatmaps_are_the_mean_of_both_and_of_a_symmetric_picture_symmetric(classifier, crops):
    found = classifier.forward(crops, tta=True)
    np.testing.assert_allclose(found.probabilities, classifier.probabilities(crops, tta=True), atol=1e-6)
    np.testing.assert_allclose(found.logits, classifier.logits(crops), atol=1e-4)
    one, other = (classifier.forward(view).heatmaps(method="attention") for view in (crops, crops[:, :, ::-1]))
    assert not np.allclose(one, other[:, :, ::-1], atol=0.05), "nothing is averaged"
    np.testing.assert_allclose(found.heatmaps(method="attention"), (one + other[:, :, ::-1]) / 2, atol=1e-5)
    symmetric = np.concatenate([crops[:, :, :24], crops[:, :, 23::-1]], axis=2)
    heatmaps = classifier.forward(symmetric, tta=True).heatmaps(method="attention")
    np.testing.assert_allclose(heatmaps, heatmaps[:, :, ::-1], atol=1e-5)


def test_a_file_that_holds_no_weights_is_not_advised_to_be_exported(tmp_path, capsys):
    (tmp_path / "w.safetensors").write_text("no weights")
    with pytest.raises(UserError):
        Classifier.from_file(tmp_path / "w.safetensors")
    assert capsys.readouterr().err == ""


def test_weights_run_in_torch_until_they_are_exported(checkpoint, crops, tmp_path, capsys):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, checkpoint)
    in_torch = Classifier.from_file(path)
    assert isinstance(in_torch.engine, TorchEngine)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("c.safetensors runs in torch, because there is no ")
    assert f"python -m models.export --weights {path} makes one" in line
    with pytest.raises(UserError, match=r"--engine onnx cannot run c\.safetensors: there is no "):
        Classifier.from_file(path, engine="onnx")
    export_checkpoint(path)
    capsys.readouterr()
    for one in (path, path.with_suffix(".onnx")):
        exported = Classifier.from_file(one)
        assert isinstance(exported.engine, OnnxEngine)
        np.testing.assert_allclose(exported.logits(crops), in_torch.logits(crops), atol=1e-4)
    assert capsys.readouterr().err == ""


def test_an_export_of_other_weights_is_not_taken(checkpoint, tmp_path, capsys):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, checkpoint)
    export_checkpoint(path)
    save_checkpoint(path, dataclasses.replace(checkpoint, temperature=0.6))  # the same tensors, another header
    capsys.readouterr()
    assert isinstance(Classifier.from_file(path).engine, TorchEngine)
    assert "c.onnx was made from other weights" in capsys.readouterr().err


def test_other_networks_and_devices_run_in_torch_or_are_refused_with_the_reason(tmp_path, capsys):
    spec = find_spec("face_emotion_cnn")
    one = Checkpoint("face_emotion_cnn", ("a", "b"), spec.preprocess, spec.build(2).state_dict())
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, one)
    export_checkpoint(path)
    classifier = Classifier.from_file(path)
    assert isinstance(classifier.engine, TorchEngine)
    assert classifier.forward(np.zeros((1, 48, 48, 3), np.uint8)).heatmaps().shape == (1, 48, 48)
    with pytest.raises(
        UserError, match=r"explain c\.safetensors: above the layer .* give --weights .*c\.safetensors, "
    ):
        Classifier.from_file(path, engine="onnx")
    with pytest.raises(
        UserError, match=r"explain c\.onnx: .* give --weights .*c\.safetensors, which torch explains\.$"
    ):
        Classifier.from_file(path.with_suffix(".onnx"))
    for device, message in (("mps", "runs on the CPU only, not on mps"), ("cuda:0", "not on cuda:0")):
        with pytest.raises(UserError, match=message):
            Classifier.from_file(engine="onnx", device=device)
    with pytest.raises(UserError, match="runs in ONNX Runtime on the CPU only"):
        Classifier.from_file(path.with_suffix(".onnx"), engine="torch")
    with pytest.raises(UserError, match="--confidence takes crowd or label, not 'mean'"):
        Classifier(one, confidence="mean")


def test_the_shipped_checkpoint_predicts_a_smile(portrait):
    classifier = Classifier.from_file()
    assert classifier.class_names == EMOTIONS
    probabilities = classifier.probabilities(portrait[None, 60:172, 169:281])
    assert EMOTIONS[probabilities[0].argmax()] == "happiness"
    assert isinstance(classifier.engine, OnnxEngine)
