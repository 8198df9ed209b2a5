"""All examinations of a network whose reasons are known, and their summary recomputed."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from helpers.tiny_explained_faces import tiny_explained_faces

from evaluation.explanations.deletion_insertion import area
from evaluation.explanations.results import examine, summary
from evaluation.explanations.similarity import rank_correlation


@pytest.fixture(scope="module")
def results():
    return examine(tiny_explained_faces(10), ["gradcam", "attention"], steps=4, seed=1)


def test_everybody_is_examined(results):
    assert list(results.curves) == list(results.maps) == ["gradcam", "attention", "random", "centre"]
    assert results.curves["random"]["insertion"].shape == (10, 5)
    assert set(results.answers) == set(results.mirrored) == {"gradcam", "attention"}
    assert results.cascade.rank["gradcam"].shape == (2, 10)


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
    assert row["mirror"]["mean"] == pytest.approx(1)  # this network treats left as right
    assert row["displacement_px"] == 0
    assert list(row["rank_correlation_shuffled"]) == ["fc", "features.0"]
    assert row["pointing_hits"]["mean"] == 1
    assert report["tests"]["attention"]["pointing_hits"]["mean"] == 0.5
    assert "pointing_hits" not in report["tests"]["random"]
    reasons = report["recommendation"]["reasons"]
    assert set(reasons) == {"gradcam", "attention"}
    assert "not fit" in reasons["attention"]


def test_agreement_is_the_rank_correlation_with_the_mirror(results):
    maps, mirrored = results.maps["gradcam"].numpy(), results.mirrored["gradcam"].numpy()
    np.testing.assert_allclose(results.agreement("gradcam"), rank_correlation(maps, mirrored))


def test_a_network_of_one_size_does_not_play():
    study = dataclasses.replace(tiny_explained_faces(4), fixed_size=True)
    results = examine(study, ["gradcam"], steps=2)
    assert results.pairs is results.answers is None
    assert "pointing_hits" not in summary(results)["tests"]["gradcam"]
