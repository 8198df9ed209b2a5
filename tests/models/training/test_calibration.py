"""Temperature scaling and logit adjustment."""

from __future__ import annotations

import numpy as np
import pytest

from models.checkpoint import Checkpoint
from models.preprocess import Preprocess
from models.training.calibration import calibrate, fit_class_bias, fit_temperature
from support.metrics import accuracy, confusion_matrix, macro_f1


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_it_finds_the_factor_by_which_calibrated_logits_were_scaled(rng, factor):
    logits = rng.normal(0, 2, (20000, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((20000, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, 3)  # drawn from p: T = 1 is right
    assert fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=0.05)


def test_a_network_that_is_always_right_gets_the_lowest_temperature():
    assert fit_temperature(np.eye(3), np.arange(3)) == pytest.approx(0.05, rel=1e-3)


def scores(labels, logits):
    confusion = confusion_matrix(labels, logits.argmax(axis=1), classes=logits.shape[1])
    return accuracy(confusion), macro_f1(confusion)


def test_the_bias_raises_the_recall_of_a_rare_class(rng):
    shares = np.array([0.8, 0.15, 0.05])
    labels = np.repeat([0, 1, 2], [800, 150, 50])
    logits = rng.normal(0, 1, (1000, 3)) + 2 * np.eye(3)[labels]  # a network that treats all classes alike ...
    bias = fit_class_bias(logits + np.log(shares), labels, shares)  # ... after the prior has been added
    before, adjusted = scores(labels, logits + np.log(shares)), scores(labels, logits + np.log(shares) + bias)
    assert adjusted[1] > before[1] + 0.01
    assert adjusted[0] >= before[0] - 0.002
    tau = bias[1:] / np.log(shares[0] / shares[1:])
    assert tau[0] == pytest.approx(tau[1])
    assert 0 < tau[0] <= 1
    assert bias[0] == 0


def test_the_bias_has_the_best_macro_f1_of_those_that_cost_no_accuracy(rng):
    labels = rng.integers(0, 3, 400)
    logits, shares = rng.normal(0, 1, (400, 3)) + 1.5 * np.eye(3)[labels], np.array([0.6, 0.3, 0.1])
    found = scores(labels, logits + fit_class_bias(logits, labels, shares))
    push = np.log(0.6 / shares)
    tried = [scores(labels, logits + tau * push) for tau in np.linspace(0, 1, 101)]
    allowed = [f1 for right, f1 in tried if right >= tried[0][0] - 0.002]
    assert found[1] == pytest.approx(max(allowed))
    assert len(allowed) < 101  # the large ones do cost


def test_of_equals_the_smallest_bias_is_taken_and_unseen_classes_get_none():
    sure = 50 * np.eye(3)
    assert fit_class_bias(sure, np.arange(3), np.array([0.6, 0.3, 0.1])).tolist() == [0, 0, 0]
    hidden = np.array([[1.0, 0.9, 0.0], [1.0, 0.0, 0.0]])  # tau above 0.1 / log 2 names the first one right
    bias = fit_class_bias(hidden, np.array([1, 0]), np.array([0.5, 0.25, 0.0]))
    assert bias[1] == pytest.approx(0.15 * np.log(2))
    assert bias[2] == 0


def test_the_temperature_is_fitted_with_the_bias_in_place(rng):
    labels = rng.integers(0, 3, 400)
    logits, shares = rng.normal(0, 1, (400, 3)) + 1.5 * np.eye(3)[labels], np.array([0.6, 0.3, 0.1])
    found = calibrate(Checkpoint("x", ("a", "b", "c"), Preprocess((8, 8)), {}), logits, labels, class_shares=shares)
    bias = fit_class_bias(logits, labels, shares)
    assert found.class_bias == tuple(bias)
    assert bias.any()
    assert found.temperature == fit_temperature(logits + bias, labels)
