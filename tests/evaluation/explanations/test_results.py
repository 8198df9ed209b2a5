"""All tests of a network that is known to use colour, and their summary recomputed."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from helpers.tiny_explained_faces import tiny_explained_faces

from evaluation.explanations.deletion_insertion import area
from evaluation.explanations.results import run_tests, summary
from evaluation.explanations.similarity import rank_correlation


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


def test_mirror_correlation_is_that_of_both_heatmaps(results):
    maps, mirrored = results.heatmaps["gradcam"].numpy(), results.mirrored["gradcam"].numpy()
    np.testing.assert_allclose(results.mirror_correlation("gradcam"), rank_correlation(maps, mirrored))


def test_a_network_of_one_size_plays_no_pointing_game():
    faces = tiny_explained_faces(4)
    faces = dataclasses.replace(faces, spec=dataclasses.replace(faces.spec, fixed_size=True))
    results = run_tests(faces, ["gradcam"], steps=2)
    assert results.pointing == {}
    assert results.pairs.shape == (0, 2)
    assert "pointing_hits" not in summary(results)["tests"]["gradcam"]
