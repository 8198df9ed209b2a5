"""Temperature scaling and logit adjustment."""

from __future__ import annotations

import numpy as np
import pytest

from models.checkpoint import Checkpoint
from models.preprocess import Preprocess
from models.training.calibration import at_bound, calibrate, fit_class_bias, fit_prior_tau, fit_temperature
from support.metrics import accuracy, confusion_matrix, macro_f1, softmax


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


def test_a_better_macro_f1_that_costs_too_much_accuracy_is_not_taken():
    labels = np.repeat([0, 1], [1000, 10])
    leads = np.repeat([9.0, 1.0, 2.0], [970, 30, 10])  # of the first: 30 of its own would be lost for the other's ten
    logits = np.stack([leads, np.zeros(1010)], axis=1)
    assert fit_class_bias(logits, labels, np.array([0.99, 0.01])).tolist() == [0, 0]


def test_of_equals_the_smallest_bias_is_taken_and_unseen_classes_get_none():
    sure = 50 * np.eye(3)
    assert fit_class_bias(sure, np.arange(3), np.array([0.6, 0.3, 0.1])).tolist() == [0, 0, 0]
    hidden = np.array([[1.0, 0.9, 0.0], [1.0, 0.0, 0.0]])  # tau above 0.1 / log 2 names the first one right
    bias = fit_class_bias(hidden, np.array([1, 0]), np.array([0.5, 0.25, 0.0]))
    assert bias[1] == pytest.approx(0.15 * np.log(2))
    assert bias[2] == 0


@pytest.fixture
def checkpoint() -> Checkpoint:
    return Checkpoint("x", ("a", "b", "c"), Preprocess((8, 8)), {}, scores={"epoch": 3})


def test_all_is_fitted_and_each_reading_has_its_own(rng, checkpoint):
    labels = rng.integers(0, 3, 400)
    logits, shares = rng.normal(0, 1, (400, 3)) + 1.5 * np.eye(3)[labels], np.array([6.0, 3.0, 1.0])
    votes = 0.7 * np.eye(3)[labels] + 0.1
    found = calibrate(checkpoint, logits, labels, votes, class_shares=shares)
    bias = fit_class_bias(logits, labels, shares)
    assert found.class_bias == tuple(bias)
    assert bias.any()
    assert found.temperature == fit_temperature(logits + bias, labels)
    assert found.crowd_temperature == fit_temperature(logits, votes) != fit_temperature(logits, labels)
    assert found.class_prior == pytest.approx((0.6, 0.3, 0.1))
    assert found.prior_tau == fit_prior_tau(logits, labels, shares)
    assert found.scores == {"epoch": 3}


def test_the_temperature_for_the_crowd_is_the_one_of_its_shares(rng):
    logits = rng.normal(0, 2, (500, 4))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert fit_temperature(2.5 * logits, shares) == pytest.approx(2.5, rel=1e-3)
    tried = np.linspace(0.5, 4, 36)
    votes = rng.dirichlet([1, 1, 1, 1], 500)
    losses = [-(votes * np.log(softmax(logits / t))).sum(axis=1).mean() for t in tried]
    assert fit_temperature(logits, votes) >= tried[np.argmin(losses)] - 0.1


def test_too_few_faces_fit_nothing_and_that_is_told(rng, checkpoint):
    labels = np.arange(14) % 3
    found = calibrate(checkpoint, 9 * np.eye(3)[labels], labels, np.eye(3)[labels], class_shares=np.array([4, 2, 1]))
    assert (found.temperature, found.crowd_temperature, found.prior_tau, found.class_bias) == (1, 1, 0, (0, 0, 0))
    assert found.class_prior == pytest.approx((4 / 7, 2 / 7, 1 / 7))  # counted in the training, not fitted
    (doubt,) = found.scores["not_calibrated"]
    assert doubt.startswith("14 faces are too few")


def test_a_temperature_at_the_end_of_its_range_is_not_used(checkpoint):
    labels = np.arange(300) % 3  # always right: the lower the better
    found = calibrate(checkpoint, np.eye(3)[labels], labels, np.full((300, 3), 1 / 3), class_shares=np.ones(3))
    assert (found.temperature, found.crowd_temperature) == (1, 1)
    low, high = found.scores["not_calibrated"]
    assert "the temperature would be 0.05" in low
    assert "the crowd_temperature would be 10" in high
    assert not at_bound(1.0)


def test_a_class_of_a_few_faces_does_not_decide_how_much_of_the_prior_is_taken_out():
    shares = np.array([0.7, 0.29, 0.01])
    labels = np.repeat([0, 1, 2], [100, 100, 10])
    logits = 9 * np.eye(3)[labels]
    logits[labels == 2] = [3.5, 0, 0]  # taken for the first, unless nearly all of the prior is taken out
    assert fit_prior_tau(logits, labels, shares) == 0  # the frequent two are right already
    many = np.concatenate([labels, np.full(30, 2)])
    assert fit_prior_tau(np.concatenate([logits, np.tile([3.5, 0, 0], (30, 1))]), many, shares) > 0.8


def test_tau_has_the_best_balanced_accuracy(rng):
    shares = np.array([0.8, 0.15, 0.05])
    labels = np.repeat([0, 1, 2], [800, 150, 50])
    logits = rng.normal(0, 1, (1000, 3)) + 2 * np.eye(3)[labels] + np.log(shares)  # the prior was added whole
    tau = fit_prior_tau(logits, labels, shares)
    assert 0.6 <= tau <= 1
    recalls = [
        np.mean([((logits - t * np.log(shares)).argmax(axis=1) == k)[labels == k].mean() for k in range(3)])
        for t in np.arange(101) / 100
    ]
    assert tau == pytest.approx(np.argmax(recalls) / 100)
    assert fit_prior_tau(50 * np.eye(3), np.arange(3), shares) == 0
