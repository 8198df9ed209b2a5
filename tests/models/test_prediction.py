"""Predictions by hand: what a pass holds, mirrored or not, and how members are joined."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam import PooledPass
from models.prediction import EnsemblePrediction, NetworkPrediction
from support.metrics import softmax

HEAD = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], np.float32)  # three classes of two channels


def passed(*activations: list) -> PooledPass:
    """A pass over activations (2, 1, 2) each, whose logits are the head's."""
    activation = np.array(activations, np.float32).reshape(-1, 2, 1, 2)
    return PooledPass(activation.mean(axis=(2, 3)) @ HEAD.T, activation, (1, 2), None, HEAD)


LEFT, RIGHT = [[[4.0, 0.0]], [[0.0, 1.0]]], [[[0.0, 4.0]], [[2.0, 0.0]]]


def test_a_prediction_holds_logits_and_explains_any_class():
    found = NetworkPrediction(passed(LEFT, RIGHT), softmax, tta=False)
    np.testing.assert_allclose(found.logits, [[2, 0.5, 2.5], [2, 1, 3]])
    np.testing.assert_allclose(found.probabilities, softmax(found.logits))
    np.testing.assert_allclose(found.heatmaps(0), [[[1, 0]], [[0, 1]]])
    np.testing.assert_allclose(found.heatmaps(np.array([1, 0])), [[[0, 1]], [[0, 1]]])
    np.testing.assert_allclose(found.heatmaps(), [[[1, 0.25]], [[0.5, 1]]])  # class 2: both channels
    assert found.windows is None


def test_with_mirror_images_the_second_half_is_turned_back():
    found = NetworkPrediction(passed(LEFT, RIGHT), softmax, tta=True)
    np.testing.assert_allclose(found.logits, [[2, 0.5, 2.5]])
    rows = softmax(np.array([[2, 0.5, 2.5], [2, 1, 3]]))
    np.testing.assert_allclose(found.probabilities, rows.mean(axis=0, keepdims=True))
    np.testing.assert_allclose(found.heatmaps(0), [[[1, 0]]])  # the mirror image's is (0, 1), turned back (1, 0)
    np.testing.assert_allclose(found.heatmaps(2), [[[1, (0.25 + 0.5) / 2]]])


def test_members_are_joined_by_their_own_order_of_classes():
    first, second = (NetworkPrediction(passed(crop), softmax, tta=False) for crop in (LEFT, RIGHT))
    orders = [np.array([0, 1, 2]), np.array([1, 0, 2])]
    found = EnsemblePrediction([first, second], orders, size_hw=(1, 2))
    a, b = first.probabilities[0], second.probabilities[0]
    np.testing.assert_allclose(found.probabilities, [[(a[0] + b[1]) / 2, (a[1] + b[0]) / 2, (a[2] + b[2]) / 2]])
    np.testing.assert_allclose(found.heatmaps(0), [[[(1 + 1) / 2, 0]]])  # class 0 is the second member's class 1
    assert found.heatmaps().shape == (1, 1, 2)
    for index in (3, -1):
        with pytest.raises(IndexError):
            found.heatmaps(index)
