"""Checkpoints: complete, strict, and refused in a sentence."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.preprocess import Preprocess
from models.spec import find_spec
from support import UserError
from support.weights import save_tensors


@pytest.fixture
def checkpoint() -> Checkpoint:
    torch.manual_seed(1)
    spec = find_spec("small_resnet18_w32")
    return Checkpoint(
        network="small_resnet18_w32",
        class_names=("calm", "glad"),
        preprocess=spec.preprocess,
        weights=spec.build(2).state_dict(),
        temperature=0.7,
        settings={"lr": 0.1},
        scores={"accuracy": 0.5},
        class_bias=(0.0, 0.25),
        crowd_temperature=1.3,
        class_prior=(0.75, 0.25),
        prior_tau=0.5,
    )


def test_all_of_it_comes_back_and_gives_the_same_numbers(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "c.safetensors", checkpoint)
    loaded = load_checkpoint(tmp_path / "c.safetensors")
    assert loaded.header() == checkpoint.header()
    assert len(checkpoint.header()) == 10
    x = torch.randn(2, 1, 48, 48)
    assert torch.equal(loaded.build()(x), checkpoint.build()(x))
    assert Checkpoint("x", ("a", "b"), checkpoint.preprocess, {}).class_bias == (0.0, 0.0)


def test_detector_weights_and_unknown_networks_are_refused(tmp_path, checkpoint):
    save_tensors(tmp_path / "d.safetensors", {"a": torch.zeros(1)}, header={"format": "retinaface-weights/1"})
    with pytest.raises(UserError, match="not a facial-expression-checkpoint/1 file but retinaface-weights/1"):
        load_checkpoint(tmp_path / "d.safetensors")
    other = Checkpoint("no_such_net", ("a",), Preprocess((48, 48)), {})
    with pytest.raises(UserError, match="no network called 'no_such_net'; the networks are"):
        other.build()


def test_preprocessing_for_another_network_is_refused(checkpoint):
    colour = dataclasses.replace(checkpoint.preprocess, channels=3)
    with pytest.raises(UserError, match=r"gives it 3 channels of \(48, 48\) pixels, where it takes 1 of \(48, 48\)"):
        dataclasses.replace(checkpoint, preprocess=colour).build()
    spec = find_spec("deep_emotion")
    one = Checkpoint("deep_emotion", ("a", "b"), spec.preprocess.at_size(64), spec.build(2).state_dict())
    with pytest.raises(UserError, match=r"1 channels of \(64, 64\) pixels, where it takes 1 of \(48, 48\)"):
        one.build()
    dataclasses.replace(checkpoint, preprocess=checkpoint.preprocess.at_size(64)).build()


def test_weights_of_another_number_of_classes_are_refused(checkpoint):
    wrong = Checkpoint("small_resnet18_w32", ("a", "b", "c"), checkpoint.preprocess, checkpoint.weights)
    with pytest.raises(UserError, match=r"2 of another shape \(fc.bias, fc.weight\)"):
        wrong.build()


def test_the_bias_of_the_prior_is_that_of_logit_adjustment(checkpoint):
    np.testing.assert_allclose(checkpoint.prior_bias, [0, 0.5 * np.log(3)])
    assert dataclasses.replace(checkpoint, class_prior=()).prior_bias.tolist() == [0, 0]
    assert dataclasses.replace(checkpoint, class_prior=(1.0, 0.0)).prior_bias.tolist() == [0, 0]  # never shown


def test_files_from_before_the_readings_have_their_defaults(checkpoint):
    new = {"crowd_temperature", "class_prior", "prior_tau"}
    header = {key: value for key, value in checkpoint.header().items() if key not in new}
    found = Checkpoint.from_header(header, {}, path="old")
    assert (found.crowd_temperature, found.class_prior, found.prior_tau) == (1.0, (), 0.0)


DAMAGES = [
    ("network", 3, "network must be texts"),
    ("class_names", "ab", "class_names must be texts"),
    ("class_names", ["a", None], "class_names must be texts"),
    ("class_names", ["a", "a"], "class_names names 'a' twice"),
    ("class_names", [], "class_names must be texts"),
    ("class_bias", [None, 0], "class_bias must be a finite number, not None"),
    ("class_bias", [True, 0], "class_bias must be a finite number, not True"),
    ("class_bias", ["0", 0], "class_bias must be a finite number, not '0'"),
    ("class_bias", [0.0], "class_bias must be 2 numbers"),
    ("class_bias", {"a": 1}, "class_bias must be 2 numbers"),
    ("class_bias", [float("nan"), 0], "class_bias must be a finite number, not nan"),
    ("temperature", 0, "temperature must be a finite number of at least 0.001, not 0"),
    ("temperature", None, "temperature must be a finite number of at least 0.001, not None"),
    ("crowd_temperature", -1, "crowd_temperature must be a finite number of at least 0.001"),
    ("class_prior", [-1, 2], "class_prior must be a finite number of at least 0"),
    ("class_prior", [0, 0], "class_prior is zero"),
    ("prior_tau", "1", "prior_tau must be a finite number"),
    ("settings", [["a", 1]], "settings must be values by name"),
    ("scores", None, "scores must be values by name"),
    ("preprocess", None, "preprocess must be values by name"),
    ("preprocess", {"size_hw": [48]}, "size_hw must be two numbers"),
    ("preprocess", {"size_hw": [48, 0]}, "size_hw must be a whole number from 1 to 4096, not 0"),
    ("preprocess", {"size_hw": [48, 10**9]}, "size_hw must be a whole number from 1 to 4096"),
    ("preprocess", {"size_hw": [48, 48], "channels": 2, "mean": None, "std": None}, "channels must be 1 or 3"),
    ("preprocess", {"size_hw": [48, 48], "channels": 1, "mean": [0, 0], "std": [1]}, "mean must be 1 numbers"),
    ("preprocess", {"size_hw": [48, 48], "channels": 1, "mean": [0], "std": [0]}, "std must be a finite number above"),
    ("preprocess", {"size_hw": [48, 48], "channels": 1, "mean": [0], "std": None}, "both be given, or neither"),
    ("preprocess", {"size_hw": [48, 48]}, "does not say its channels"),
]


@pytest.mark.parametrize(("entry", "value", "sentence"), DAMAGES)
def test_a_header_with_an_entry_of_another_kind_is_refused_by_its_name(checkpoint, entry, value, sentence):
    with pytest.raises(UserError, match=f"^file .*{sentence}.*again"):
        Checkpoint.from_header(checkpoint.header() | {entry: value}, {}, path="file")


@pytest.mark.parametrize("entry", ["network", "class_names", "preprocess", "temperature", "settings", "class_bias"])
def test_a_header_that_lacks_an_entry_is_refused_by_its_name(checkpoint, entry):
    header = {key: value for key, value in checkpoint.header().items() if key != entry}
    with pytest.raises(UserError, match=f"file does not say its {entry}"):
        Checkpoint.from_header(header, {}, path="file")
