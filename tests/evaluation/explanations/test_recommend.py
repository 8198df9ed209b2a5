"""The rule: who is fit, who is first, who is chosen."""

from __future__ import annotations

import numpy as np

from evaluation.explanations.recommend import RULE, recommend

FORGOT, REMEMBERS = np.zeros(50), np.full(50, 0.9)
GOOD, HALF = np.ones(40), np.full(40, 0.5)
NOISE = np.random.default_rng(0).normal(0, 0.05, 100)


def test_the_highest_gain_wins():
    found = recommend({"a": 0.3 + NOISE, "b": 0.4 + NOISE}, {"a": FORGOT, "b": FORGOT}, {"a": GOOD, "b": GOOD})
    assert found["explainer"] == "b"
    assert found["rule"] == RULE
    assert "less than b's" in found["reasons"]["a"]
    assert "recommended" in found["reasons"]["b"]


def test_who_remembers_a_shuffled_network_or_ignores_the_class_is_not_fit():
    gains = {"a": 0.9 + NOISE, "b": 0.8 + NOISE, "c": 0.1 + NOISE}
    found = recommend(gains, {"a": REMEMBERS, "b": FORGOT, "c": FORGOT}, {"a": GOOD, "b": HALF, "c": GOOD})
    assert found["explainer"] == "c"
    assert "0.90" in found["reasons"]["a"]
    assert "50%" in found["reasons"]["b"]


def test_equals_are_told_apart_by_hits_and_then_by_the_table():
    shuffled = dict.fromkeys("ab", FORGOT)
    gains = {"a": 0.3 + NOISE, "b": 0.3 + NOISE[::-1]}
    hits = {"a": np.array([1.0, 0.5] * 20), "b": GOOD}
    assert recommend(gains, shuffled, hits)["explainer"] == "b"
    assert recommend(gains, shuffled, {"a": GOOD, "b": GOOD})["explainer"] == "a"
    assert recommend(gains, shuffled, None)["explainer"] == "a"


def test_nobody_may_be_fit():
    found = recommend({"a": NOISE}, {"a": REMEMBERS}, None)
    assert found["explainer"] is None
    assert "not fit" in found["reasons"]["a"]
