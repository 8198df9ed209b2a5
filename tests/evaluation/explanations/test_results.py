"""All tests of a network that is known to use colour, their summary recomputed, and the rule of recommendation."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from helpers.tiny_explained_faces import tiny_explained_faces

from evaluation.explanations.deletion_insertion import area
from evaluation.explanations.results import RULE, recommend, run_tests, summary

LOW, HIGH = np.zeros(50), np.full(50, 0.9)  # correlations with heatmaps of the randomised network
GOOD, HALF = np.ones(40), np.full(40, 0.5)
NOISE = np.random.default_rng(0).normal(0, 0.05, 100)


@pytest.fixture(scope="module")
def results():
    return run_tests(tiny_explained_faces(10), ["gradcam", "attention"], steps=4, seed=1)


def test_every_explainer_and_baseline_is_tested(results):
    assert list(results.curves) == list(results.heatmaps) == ["gradcam", "attention", "random", "centre"]
    assert results.curves["random"]["insertion"].shape == (10, 5)
    assert set(results.pointing) == set(results.mirrored) == {"gradcam", "attention"}
    assert results.randomisation.rank_correlation["gradcam"].shape == (2, 10)


def test_the_summary_is_of_the_arrays_and_plain(results):
    report = summary(results)
    assert json.loads(json.dumps(report)) == report
    assert report["n"] == 10
    row = report["tests"]["gradcam"]
    curves = results.curves["gradcam"]
    gain = area(curves["insertion"]) - area(curves["deletion"])
    assert row["insertion_minus_deletion"]["mean"] == pytest.approx(gain.mean())
    assert row["more_than_random"]["mean"] == pytest.approx((gain - results.gain("random")).mean())
    assert row["more_than_random"]["interval"][0] > 0
    assert row["mirror_correlation"]["mean"] == pytest.approx(1)  # this network treats left as right
    assert row["displacement_px"] == 0
    assert list(row["rank_correlation_randomised"]) == ["fc", "features.0"]
    assert row["pointing_hits"]["mean"] == 1
    assert report["tests"]["attention"]["pointing_hits"]["mean"] == 0.5
    assert "pointing_hits" not in report["tests"]["random"]
    reasons = report["recommendation"]["reasons"]
    assert set(reasons) == {"gradcam", "attention"}
    assert "fails" in reasons["attention"]


def test_the_example_of_the_randomisation_is_a_row_of_all_faces(monkeypatch):
    monkeypatch.setattr("evaluation.explanations.results.RANDOMISED_FACES", 2)  # the first and the last
    probabilities = torch.tensor([[0.9, 0.1], [0.1, 0.9]] * 3)
    probabilities[5] = torch.tensor([0.01, 0.99])
    faces = dataclasses.replace(tiny_explained_faces(6), probabilities=probabilities)
    results = run_tests(faces, ["attention"], steps=2)
    assert results.randomisation.example == 5
    after_head = results.randomisation.maps["attention"][0]  # attention does not use the head
    np.testing.assert_allclose(after_head, results.heatmaps["attention"][5], atol=1e-6)


def test_a_network_of_one_size_plays_no_pointing_game():
    faces = tiny_explained_faces(4)
    faces = dataclasses.replace(faces, spec=dataclasses.replace(faces.spec, fixed_size=True))
    results = run_tests(faces, ["gradcam"], steps=2)
    assert results.pointing == {}
    assert results.pairs.shape == (0, 2)
    assert "pointing_hits" not in summary(results)["tests"]["gradcam"]


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
    assert "50 %" in found["reasons"]["b"]


def test_heatmaps_that_are_the_same_everywhere_fail(results):
    blank = results.heatmaps | {"gradcam": 0 * results.heatmaps["gradcam"]}
    seen, found = (
        summary(each)["recommendation"]["reasons"]["gradcam"]
        for each in (results, dataclasses.replace(results, heatmaps=blank))
    )
    assert found == "fails: its heatmaps show no place more than another"
    assert seen != found


def test_ties_are_broken_by_hits_and_then_by_the_order_of_explainers():
    correlations = dict.fromkeys("ab", LOW)
    gains = {"a": 0.3 + NOISE, "b": 0.3 + NOISE[::-1]}
    hits = {"a": np.array([1.0, 0.5] * 20), "b": GOOD}
    assert recommend(gains, correlations, hits)["explainer"] == "b"
    assert recommend(gains, correlations, {"a": GOOD, "b": GOOD})["explainer"] == "a"
    assert recommend(gains, correlations, {})["explainer"] == "a"


def test_all_may_fail():
    found = recommend({"a": NOISE}, {"a": HIGH}, {})
    assert found["explainer"] is None
    assert "fails" in found["reasons"]["a"]
