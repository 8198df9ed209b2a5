"""The ensemble: a mean over members, joined by the names of their classes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from models.checkpoint import SHIPPED, Checkpoint, load_checkpoint, save_checkpoint
from models.classifier import Classifier
from models.ensemble import Ensemble, classifier_from_files
from models.spec import find_spec
from support import UserError

NETWORK = "small_resnet18_w32"


def member(class_names: tuple[str, ...], *, seed: int, temperature: float = 1.0, network: str = NETWORK) -> Classifier:
    """An untrained classifier."""
    torch.manual_seed(seed)
    spec = find_spec(network)
    weights = spec.build(len(class_names)).state_dict()
    checkpoint = Checkpoint(network, class_names, spec.preprocess, weights, temperature)
    return Classifier(checkpoint, confidence="label")


@pytest.fixture
def crops(rng) -> np.ndarray:
    return rng.integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)


@pytest.mark.parametrize("tta", [False, True])
def test_the_mean_is_taken_name_by_name(crops, tta):
    first, second = member(("joy", "fear", "calm"), seed=0), member(("calm", "joy", "fear"), seed=1, temperature=0.5)
    ensemble = Ensemble([first, second])
    found = ensemble.probabilities(crops, tta=tta)
    assert ensemble.class_names == ("joy", "fear", "calm")
    assert (found.shape, found.dtype) == ((3, 3), np.float32)
    a, b = first.probabilities(crops, tta=tta), second.probabilities(crops, tta=tta)
    by_hand = [[(a[i, 0] + b[i, 1]) / 2, (a[i, 1] + b[i, 2]) / 2, (a[i, 2] + b[i, 0]) / 2] for i in range(3)]
    np.testing.assert_allclose(found, by_hand, rtol=1e-6)
    assert ensemble.probabilities(crops[:0], tta=tta).shape == (0, 3)


def test_members_of_other_classes_are_refused():
    with pytest.raises(UserError, match="must know the same classes"):
        Ensemble([member(("joy", "fear"), seed=0), member(("joy", "anger"), seed=0)])


def test_members_that_take_the_class_prior_in_another_way_are_refused(tmp_path):
    path = tmp_path / "old.safetensors"
    save_checkpoint(path, dataclasses.replace(load_checkpoint(SHIPPED), class_prior=()))
    for paths in ([SHIPPED, path], [path, SHIPPED]):
        with pytest.raises(UserError, match="give --prior dataset for all"):
            classifier_from_files(paths, prior="balanced")
    assert classifier_from_files([SHIPPED, path], prior="dataset").prior == "dataset"


@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize("method", ["gradcam", "hirescam"])
def test_a_heatmap_is_the_mean_for_a_class_chosen_from_the_mean_of_all(crops, tta, method):
    first, second = member(("joy", "fear", "calm"), seed=0), member(("calm", "joy", "fear"), seed=1, temperature=0.2)
    ensemble = Ensemble([first, second])
    found = ensemble.forward(crops, tta=tta)
    np.testing.assert_allclose(found.probabilities, ensemble.probabilities(crops, tta=tta), atol=1e-6)
    for index in (found.probabilities.argmin(axis=1), found.probabilities.argmax(axis=1)):
        a = first.forward(crops, tta=tta).heatmaps(index, method)
        in_second = np.array([1, 2, 0])[index]  # joy, fear, calm are its columns 1, 2, 0
        b = second.forward(crops, tta=tta).heatmaps(in_second, method)
        assert not np.allclose(a, b, atol=0.05), "nothing is averaged"
        np.testing.assert_allclose(found.heatmaps(index, method), (a + b) / 2, atol=1e-5)
    np.testing.assert_array_equal(found.heatmaps(method=method), found.heatmaps(index, method))
    nothing = ensemble.forward(crops[:0], tta=tta)
    assert (nothing.probabilities.shape, nothing.heatmaps().shape) == ((0, 3), (0, 48, 48))


@pytest.mark.parametrize("network", [NETWORK, "deep_emotion"])
@pytest.mark.parametrize("tta", [False, True])
def test_a_prediction_of_one_is_that_of_its_member(crops, network, tta):
    alone = member(("joy", "fear"), seed=0, network=network)
    found, wanted = (one.forward(crops, tta=tta) for one in (Ensemble([alone]), alone))
    np.testing.assert_array_equal(found.probabilities, wanted.probabilities)
    np.testing.assert_array_equal(found.heatmaps(method="attention"), wanted.heatmaps(method="attention"))
    assert (found.windows is None) == (network != "deep_emotion")
    if found.windows is not None:
        np.testing.assert_array_equal(found.windows, wanted.windows)


def test_each_member_passes_once_and_the_largest_tells_the_size(crops, monkeypatch):
    small, large = member(("joy", "fear"), seed=0), member(("joy", "fear"), seed=1, network="resnet18")
    ensemble, passes = Ensemble([small, large]), []
    for one in (small, large):
        forward = one.engine.forward
        monkeypatch.setattr(one.engine, "logits", None)
        monkeypatch.setattr(one.engine, "forward", lambda x, forward=forward: passes.append(len(x)) or forward(x))
    found = ensemble.forward(crops)
    heatmaps = found.heatmaps(method="attention")
    assert passes == [3, 3]
    assert ensemble.size_hw == large.size_hw == heatmaps.shape[1:]
    assert ensemble.name == "small_resnet18_w32 + resnet18"


def test_one_file_is_a_classifier_and_several_are_an_ensemble():
    assert isinstance(classifier_from_files([]), Classifier)
    assert isinstance(classifier_from_files([SHIPPED]), Classifier)
    both = classifier_from_files([SHIPPED, str(SHIPPED)], confidence="label", prior="balanced")
    assert {(one.confidence, one.prior) for one in both.members} == {("label", both.prior)}
