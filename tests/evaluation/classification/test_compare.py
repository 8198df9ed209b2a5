"""Two networks on the same faces: the paired bootstrap, McNemar's test, and what cannot be compared."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from evaluation.classification.compare import compare, comparison_lines, paired_differences
from evaluation.classification.predictions import Predictions
from support import UserError


def predictions(labels: str, predicted: str, names: str = "") -> Predictions:
    """One letter a face."""
    return Predictions(tuple(names or map(str, range(len(labels)))), np.array(list(labels)), np.array(list(predicted)))


def test_counts_and_the_exact_test_by_hand():
    # of 12 faces both get 4 right, only the first 1, only the second 6, neither 1
    first = predictions("aaaabbbbbbba", "aaaabaaaaaab")
    second = predictions("aaaabbbbbbba", "aaaaabbbbbbb")
    found = compare(first, second)
    assert found["n"] == 12
    assert found["accuracy"]["first"] == pytest.approx(5 / 12)
    assert found["accuracy"]["difference"] == pytest.approx(5 / 12)
    assert found["mcnemar"]["only_first_right"] == 1
    assert found["mcnemar"]["only_second_right"] == 6
    assert found["mcnemar"]["p"] == pytest.approx(2 * (comb(7, 0) + comb(7, 1)) / 2**7)
    low, high = found["accuracy"]["interval"]
    assert low < 5 / 12 < high
    about = {"dataset": "raf_db", "split": "test", "protocol": "every face; closed set"}
    lines = list(comparison_lines(found | {"compared": ["x", "y.csv"], "about": [about, None]}))
    assert lines[:2] == ["A: x, on raf_db test: every face; closed set", "B: y.csv"]
    assert lines[-1] == "only A right: 1, only B right: 6; McNemar's test p = 0.125"


def test_faces_are_joined_by_name_and_alike_predictions_do_not_differ():
    first, second = predictions("ab", "aa", "xy"), predictions("ba", "aa", "yx")
    found = compare(first, second)
    assert found["accuracy"] == {"first": 0.5, "second": 0.5, "difference": 0.0, "interval": [0.0, 0.0]}
    assert found["mcnemar"] == {"only_first_right": 0, "only_second_right": 0, "p": 1.0}
    first, in_order = predictions("abab", "abbb", "wxyz"), predictions("abab", "aaab", "wxyz")
    assert compare(first, predictions("baba", "baaa", "zyxw")) == compare(first, in_order)


def test_the_bootstrap_is_paired(rng):
    """Two networks that err on the same faces: their difference varies far less than each accuracy does."""
    labels = rng.integers(0, 2, 300)
    one = np.where(rng.random(300) < 0.7, labels, 1 - labels)
    other = one.copy()
    wrong = np.flatnonzero(one != labels)[:9]
    other[wrong] = labels[wrong]
    spread = paired_differences(labels, one, other, classes=2)["accuracy"]
    gains = (other == labels).astype(int) - (one == labels)
    assert gains.sum() == 9
    assert spread.mean() == pytest.approx(9 / 300, abs=0.003)
    assert spread.std() == pytest.approx(gains.std() / np.sqrt(300), rel=0.1)


def test_other_faces_and_other_labels_are_refused():
    with pytest.raises(UserError, match="2 names are of one only"):
        compare(predictions("ab", "ab", "xy"), predictions("ab", "ab", "xz"))
    with pytest.raises(UserError, match="one of the two names a face twice"):
        compare(predictions("ab", "ab", "xx"), predictions("ab", "ab", "xx"))
    with pytest.raises(UserError, match="other labels for the same faces"):
        compare(predictions("ab", "ab"), predictions("aa", "ab"))
