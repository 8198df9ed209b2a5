"""Scores of a split, against cases worked out by hand, torch, and a bootstrap of the faces themselves."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
import torch

from support.metrics import (
    RESAMPLES,
    accuracy,
    area_under_roc,
    average_precision,
    balanced_accuracy,
    bootstrap_interval,
    calibration_bins,
    confusion_matrix,
    expected_calibration_error,
    js_divergence,
    kl_divergence,
    macro_f1,
    mean_with_interval,
    per_class,
    precision_recall_curve,
    roc_curve,
    score,
    softmax,
    step_average_precision,
)

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 1])


def test_confusion_and_the_scores_of_a_class_by_hand():
    matrix = confusion_matrix(LABELS, PREDICTED, classes=3)
    assert matrix.tolist() == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]
    table = per_class(matrix)
    np.testing.assert_allclose(table["precision"], [2 / 3, 1 / 3, 0])
    np.testing.assert_allclose(table["recall"], [2 / 3, 1 / 2, 0])
    np.testing.assert_allclose(table["f1"], [2 / 3, 0.4, 0])
    assert table["support"].tolist() == [3, 2, 1]


def test_all_scores_of_a_small_split():
    p = np.eye(3)[PREDICTED] * 0.8 + 0.2 / 3
    found = score(LABELS, p, np.eye(3)[LABELS])
    assert (found["n"], found["correct"], found["accuracy"]) == (6, 3, 0.5)
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0.4 + 0) / 3)
    assert found["weighted_f1"] == pytest.approx((3 * 2 / 3 + 2 * 0.4) / 6)
    high, low = 0.8 + 0.2 / 3, 0.2 / 3
    assert found["kl"] == pytest.approx(-(np.log(high) + np.log(low)) / 2)
    assert found["ece"] == pytest.approx(high - 0.5)


def test_divergences_by_hand():
    p, q = np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert kl_divergence(p, q) == pytest.approx(expected)
    assert kl_divergence(p, p) == 0
    assert js_divergence(p, q) == pytest.approx(js_divergence(q, p))
    assert js_divergence(np.array([[1.0, 0]]), np.array([[0, 1.0]])) == pytest.approx(np.log(2))
    assert np.isfinite(kl_divergence(p, np.array([[1.0, 0.0]])))


def test_calibration_error_of_a_calibrated_and_of_an_overconfident_classifier(rng):
    confidence = rng.uniform(0.5, 1, 20000)
    p = np.stack([confidence, 1 - confidence], axis=1)
    calibrated = (rng.random(20000) > confidence).astype(int)
    assert expected_calibration_error(calibrated, p) < 0.01
    random = rng.integers(0, 2, 20000)
    assert expected_calibration_error(random, p) == pytest.approx(0.25, abs=0.02)
    bins = calibration_bins(calibrated, p, bins=10)
    assert bins["count"].sum() == 20000
    assert bins["count"][:5].sum() == 0
    np.testing.assert_allclose(bins["accuracy"][5:], bins["confidence"][5:], atol=0.03)


def test_softmax_is_torchs_also_for_large_logits_and_keeps_the_dtype(rng):
    logits = rng.normal(0, 300, (5, 4))
    expected = torch.from_numpy(logits).softmax(dim=1).numpy()
    np.testing.assert_allclose(softmax(logits), expected, atol=1e-12)
    assert softmax(logits).dtype == np.float64
    assert softmax(logits.astype(np.float32)).dtype == np.float32
    assert softmax(np.empty((0, 4))).shape == (0, 4)


def test_macro_f1_over_some_classes_still_counts_all_rows():
    matrix = confusion_matrix(LABELS, PREDICTED, classes=3)
    assert macro_f1(matrix) == pytest.approx((2 / 3 + 0.4 + 0) / 3)
    assert macro_f1(matrix, classes=[0, 1]) == pytest.approx((2 / 3 + 0.4) / 2)  # 0.4 holds the mistake on class 2
    assert macro_f1(np.diag([3, 0, 2])) == balanced_accuracy(np.diag([3, 0, 2])) == 1  # class 1 does not occur
    assert macro_f1(np.diag([3, 0, 2]), classes=[0, 1, 2]) == pytest.approx(2 / 3)


def test_the_bootstrap_interval_of_an_accuracy_is_that_of_the_binomial():
    interval = bootstrap_interval(np.array([[860, 140], [0, 0]]), accuracy, resamples=4000)
    spread = 1.96 * np.sqrt(0.86 * 0.14 / 1000)
    np.testing.assert_allclose(interval, [0.86 - spread, 0.86 + spread], atol=0.002)
    assert interval == bootstrap_interval(np.array([[860, 140], [0, 0]]), accuracy, resamples=4000)
    assert bootstrap_interval(np.array([[7, 0], [0, 3]]), accuracy) == (1, 1)


@pytest.mark.parametrize("statistic", [accuracy, balanced_accuracy, macro_f1])
def test_resampling_the_matrix_is_resampling_the_faces(statistic, rng):
    labels = rng.integers(0, 3, 300)
    predicted = np.where(rng.random(300) < 0.7, labels, rng.integers(0, 3, 300))
    values = []
    for _ in range(2000):
        rows = rng.integers(0, 300, 300)
        values.append(statistic(confusion_matrix(labels[rows], predicted[rows], classes=3)))
    found = bootstrap_interval(confusion_matrix(labels, predicted, classes=3), statistic, resamples=2000)
    np.testing.assert_allclose(found, np.quantile(values, [0.025, 0.975]), atol=0.01)


@pytest.mark.parametrize("last", [0, 4])
def test_only_the_cells_with_faces_are_resampled_and_the_interval_is_that_of_all_cells(rng, last):
    matrix = rng.integers(0, 9, (6, 6)) * (rng.random((6, 6)) < 0.4)
    matrix[5, 5] = last
    resamples = np.random.default_rng(0).multinomial(matrix.sum(), matrix.ravel() / matrix.sum(), size=1000)
    expected = np.quantile([macro_f1(each.reshape(6, 6)) for each in resamples], [0.025, 0.975])
    np.testing.assert_allclose(bootstrap_interval(matrix, macro_f1), expected, rtol=1e-12)


def test_the_interval_for_a_thousand_classes_takes_little_memory():
    matrix = np.diag(np.full(1000, 3))
    tracemalloc.start()
    assert bootstrap_interval(matrix, accuracy, resamples=10) == (1, 1)
    peak, matrix_bytes = tracemalloc.get_traced_memory()[1], matrix.nbytes
    tracemalloc.stop()
    assert peak < 4 * matrix_bytes


def test_the_interval_of_many_values_is_that_of_the_normal_distribution(rng):
    values = rng.normal(3, 2, 400)
    found = mean_with_interval(values)
    assert (found["mean"], found["n"]) == (pytest.approx(values.mean()), 400)
    half = 1.96 * values.std() / 20
    np.testing.assert_allclose(found["interval"], [values.mean() - half, values.mean() + half], atol=0.15 * half)
    assert found == mean_with_interval(values)
    assert mean_with_interval(np.array([True, True]))["interval"] == [1, 1]


def test_the_interval_is_that_of_resampled_means(rng):
    values = rng.random(37)
    draws = np.random.default_rng(0).integers(0, 37, (RESAMPLES, 37))
    found = mean_with_interval(values)
    assert found["interval"] == np.quantile(values[draws].mean(axis=1), [0.025, 0.975]).tolist()
    assert found["n"] == 37


def test_average_precision_by_hand():
    # right, wrong, right; four faces: precision 1 up to recall 1/4, then 2/3 up to 1/2
    found = average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), faces=4)
    assert found == pytest.approx(0.25 * 1 + 0.25 * 2 / 3)
    # wrong, right, right; two faces: precision is best in the end, and counts so for all recall before
    rising = average_precision(np.array([0.9, 0.8, 0.7]), np.array([False, True, True]), faces=2)
    assert rising == pytest.approx(2 / 3)
    assert average_precision(np.empty(0), np.empty(0, bool), faces=3) == 0


def test_average_precision_does_not_depend_on_the_order_of_equal_scores(rng):
    # two of 0.9, one right, then two of 0.8, one right: precision is 1/2 at both thresholds, up to recall 2/3
    scores, hits = np.array([0.9, 0.9, 0.8, 0.8]), np.array([True, False, True, False])
    for order in itertools.permutations(range(4)):
        assert average_precision(scores[[*order]], hits[[*order]], faces=3) == pytest.approx(2 / 3 * 1 / 2)
    different, hits = rng.permutation(50) / 50, rng.random(50) < 0.4
    recall, precision = [], []
    for threshold in sorted(different)[::-1]:
        recall.append(hits[different >= threshold].sum() / 30)
        precision.append(hits[different >= threshold].mean())
    steps = np.diff([0, *recall])
    by_hand = sum(step * max(precision[i:]) for i, step in enumerate(steps))
    assert average_precision(different, hits, faces=30) == pytest.approx(by_hand)


def test_above_ten_classes_the_top_five_are_scored(rng):
    probabilities, labels = rng.dirichlet(np.ones(12), 50), rng.integers(0, 12, 50)
    ranks = [sorted(range(12), key=lambda k, row=row: -row[k]) for row in probabilities]
    by_hand = np.mean([label in rank[:5] for rank, label in zip(ranks, labels, strict=True)])
    assert score(labels, probabilities, np.eye(12)[labels])["top5_accuracy"] == pytest.approx(by_hand)
    assert "top5_accuracy" not in score(labels % 3, probabilities[:, :3], np.eye(3)[labels % 3])


def test_a_class_that_the_network_does_not_know_is_never_among_the_top_five():
    probabilities = np.tile(np.array([0.2, 0.3, 0.5, *[0] * 9]), (12, 1))
    assert score(np.arange(12), probabilities, np.eye(12))["top5_accuracy"] == 3 / 12


def test_curves_of_scores_with_ties_by_hand():
    scores, hits = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, False, True, False])
    x, y = roc_curve(scores, hits)
    assert (x.tolist(), y.tolist()) == ([0, 0, 0.5, 1], [0, 0.5, 1, 1])
    assert area_under_roc(scores, hits) == pytest.approx(7 / 8)  # of four pairs three are in order and one is a tie
    recall, precision = precision_recall_curve(scores, hits)
    assert (recall.tolist(), precision.tolist()) == ([0.5, 1, 1], [1, pytest.approx(2 / 3), 0.5])
    assert step_average_precision(scores, hits) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_the_area_is_the_share_of_pairs_in_order(rng):
    scores, hits = rng.integers(0, 20, 200) / 20, rng.random(200) < 0.3
    difference = scores[hits][:, None] - scores[~hits]
    assert area_under_roc(scores, hits) == pytest.approx(((difference > 0) + (difference == 0) / 2).mean())


def test_the_js_divergence_of_many_rows_is_the_mean_of_theirs():
    p, q = np.array([[1.0, 0], [0.5, 0.5], [0.25, 0.75]]), np.array([[0, 1.0], [0.5, 0.5], [0.25, 0.75]])
    assert js_divergence(p, q) == pytest.approx(np.log(2) / 3)
