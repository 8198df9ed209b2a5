"""A network in fewer bits shows the same within the bound that is stated; what is beyond it does not agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradcam import hooked_forward
from models.all_maps import all_maps
from models.classifier import Classifier
from models.precision import HEAT, PROBABILITY, TRIAL, agree, trial_pictures
from support.device.precision import alternatives
from support.metrics import softmax


def results(logits, maps):
    """One face: logits (K,), and the maps (K, 2) of two explainers alike."""
    return [np.array([logits], np.float32), np.array([[maps, maps]], np.float32)[..., None]]


def test_results_agree_up_to_the_bound_of_probabilities_and_of_the_heat_of_the_most_probable_class():
    logits = np.log(np.array([0.5, 0.3, 0.2], np.float32))
    maps = [[2.0, 1.0], [0.0, 0.0], [3.0, 1.0]]
    first = results(logits, maps)
    moved = np.log(np.array([0.5 + PROBABILITY - 0.001, 0.3, 0.2 - PROBABILITY + 0.001], np.float32))
    assert agree(first, results(moved, maps))
    assert not agree(first, results(np.log(np.array([0.5 + PROBABILITY + 0.001, 0.3, 0.179], np.float32)), maps))
    assert agree(first, results(logits, [[4.0, 2 + 4 * HEAT - 0.01], *maps[1:]]))  # heat is in shares of its highest
    assert not agree(first, results(logits, [[4.0, 2 + 4 * HEAT + 0.01], *maps[1:]]))
    assert agree(first, results(logits, [maps[0], maps[2], maps[1]]))  # those of other classes nobody sees
    assert not agree(first, results(logits * np.nan, maps))


@pytest.mark.parametrize("size", [48, 64])
def test_pictures_to_try_are_smooth_and_always_the_same(size):
    pictures = trial_pictures(size)
    assert (pictures.shape, pictures.dtype) == ((TRIAL, size, size, 3), np.uint8)
    np.testing.assert_array_equal(pictures, trial_pictures(size))
    assert pictures.std() > 40
    assert np.abs(np.diff(pictures.astype(int), axis=2)).mean() < 20


def test_the_shipped_network_agrees_with_itself_in_bfloat16_and_not_with_noise():
    engine = Classifier.from_file(engine="torch").engine
    x = engine.preprocess(trial_pictures(engine.preprocess.size_hw[0]))

    def passed(network, dtype=None):
        with torch.autocast("cpu", dtype, enabled=dtype is not None):
            one = hooked_forward(network, engine.layer, x, cells=engine.cells)
        return [one.logits.numpy(), all_maps(one).numpy()]

    first = passed(engine.network)
    (_, other, _) = alternatives(engine.network, (None, torch.bfloat16))
    found = passed(other.network, other.dtype)
    assert all(one.dtype == np.float32 for one in found)
    assert agree(first, found)
    assert 0 < np.abs(softmax(first[0]) - softmax(found[0])).max() <= PROBABILITY
    with torch.no_grad():
        other.network.get_submodule(engine.layer).register_forward_hook(lambda module, given, made: made.roll(1, 1))
    assert not agree(first, passed(other.network, other.dtype))
