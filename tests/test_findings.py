"""All examinations of a network whose reasons are known, and their summary recomputed."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from tiny_study import tiny_study

from evaluation.agreement import rank_correlation
from evaluation.findings import examine, summary
from evaluation.perturb import area


@pytest.fixture(scope="module")
def findings():
    return examine(tiny_study(10), ["gradcam", "attention"], steps=4, seed=1)


def test_everybody_is_examined(findings):
    assert list(findings.curves) == list(findings.maps) == ["gradcam", "attention", "random", "centre"]
    assert findings.curves["random"]["insertion"].shape == (10, 5)
    assert set(findings.answers) == set(findings.mirrored) == {"gradcam", "attention"}
    assert findings.cascade.rank["gradcam"].shape == (2, 10)


def test_the_summary_is_of_the_arrays_and_plain(findings):
    report = summary(findings)
    assert json.loads(json.dumps(report)) == report
    assert report["n"] == 10
    row = report["tests"]["gradcam"]
    curves = findings.curves["gradcam"]
    gain = area(curves["insertion"]) - area(curves["deletion"])
    assert row["insertion_minus_deletion"]["mean"] == pytest.approx(gain.mean())
    assert row["more_than_random"]["mean"] == pytest.approx((gain - findings.gain("random")).mean())
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


def test_agreement_is_the_rank_correlation_with_the_mirror(findings):
    maps, mirrored = findings.maps["gradcam"].numpy(), findings.mirrored["gradcam"].numpy()
    np.testing.assert_allclose(findings.agreement("gradcam"), rank_correlation(maps, mirrored))


def test_a_network_of_one_size_does_not_play():
    study = dataclasses.replace(tiny_study(4), fixed_size=True)
    findings = examine(study, ["gradcam"], steps=2)
    assert findings.pairs is findings.answers is None
    assert "pointing_hits" not in summary(findings)["tests"]["gradcam"]
