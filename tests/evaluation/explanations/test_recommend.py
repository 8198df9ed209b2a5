"""The rule: which explainers pass, which are candidates, which is chosen."""

from __future__ import annotations

import numpy as np

from evaluation.explanations.recommend import RULE, recommend

LOW, HIGH = np.zeros(50), np.full(50, 0.9)  # correlations with heatmaps of the randomised network
GOOD, HALF = np.ones(40), np.full(40, 0.5)
NOISE = np.random.default_rng(0).normal(0, 0.05, 100)


def test_the_highest_gain_wins():
    found = recommend({"a": 0.3 + NOISE, "b": 0.4 + NOISE}, {"a": LOW, "b": LOW}, {"a": GOOD, "b": GOOD})
    assert found["explainer"] == "b"
    assert found["rule"] == RULE
    assert "less than b's" in found["reasons"]["a"]
    assert "recommended" in found["reasons"]["b"]


def test_explainers_that_ignore_the_weights_or_the_class_fail():
    gains = {"a": 0.9 + NOISE, "b": 0.8 + NOISE, "c": 0.1 + NOISE}
    found = recommend(gains, {"a": HIGH, "b": LOW, "c": LOW}, {"a": GOOD, "b": HALF, "c": GOOD})
    assert found["explainer"] == "c"
    assert "0.90" in found["reasons"]["a"]
    assert "50%" in found["reasons"]["b"]


def test_ties_are_broken_by_hits_and_then_by_the_order_of_explainers():
    correlations = dict.fromkeys("ab", LOW)
    gains = {"a": 0.3 + NOISE, "b": 0.3 + NOISE[::-1]}
    hits = {"a": np.array([1.0, 0.5] * 20), "b": GOOD}
    assert recommend(gains, correlations, hits)["explainer"] == "b"
    assert recommend(gains, correlations, {"a": GOOD, "b": GOOD})["explainer"] == "a"
    assert recommend(gains, correlations, None)["explainer"] == "a"


def test_all_may_fail():
    found = recommend({"a": NOISE}, {"a": HIGH}, None)
    assert found["explainer"] is None
    assert "fails" in found["reasons"]["a"]
