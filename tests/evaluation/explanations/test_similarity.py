"""Likeness of maps against SciPy's, and a displacement that was put there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.tiny_explained_faces import tiny_explained_faces
from scipy.stats import pearsonr, spearmanr

from evaluation.explanations.similarity import (
    correlation,
    displacement,
    mirrored_maps,
    rank_correlation,
    structural_similarity,
)


def test_correlations_are_scipys_also_with_ties(rng):
    a = rng.random((4, 6, 5)).round(1)
    b = (a + rng.random((4, 6, 5))).round(1)
    for row in range(4):
        pair = (a[row].ravel(), b[row].ravel())
        assert rank_correlation(a, b)[row] == pytest.approx(spearmanr(*pair).statistic)
        assert correlation(a, b)[row] == pytest.approx(pearsonr(*pair).statistic)


def test_a_constant_map_agrees_with_nothing(rng):
    maps = rng.random((2, 4, 4))
    maps[1] = 0
    assert rank_correlation(maps, maps).tolist() == [pytest.approx(1), 0]


def test_structural_similarity_of_each_pair(rng):
    a, b = rng.random((2, 12, 12)), rng.random((2, 12, 12))
    same, other = structural_similarity(a, np.stack([a[0], b[1]]))
    assert same == pytest.approx(1)
    assert other < 0.5


def test_a_network_that_sees_left_as_right_agrees_with_the_mirror():
    study = tiny_explained_faces()
    plain, mirrored = study.maps("gradcam"), mirrored_maps(study, "gradcam")
    torch.testing.assert_close(plain, mirrored, atol=1e-5, rtol=0)
    assert displacement(plain.numpy(), mirrored.numpy()) == 0


@pytest.mark.parametrize("pixels", [0, 2, -3])
def test_a_displacement_that_was_put_there_is_found(pixels):
    rows = np.arange(32)
    places = np.random.default_rng(0).uniform(10, 21, 12)
    blobs = [np.exp(-((rows - place) ** 2 + (rows[:, None] - 16) ** 2) / 18) for place in places]
    maps = np.roll(blobs, pixels, axis=2)
    mirrored = np.roll(blobs, -pixels, axis=2)
    assert displacement(maps, mirrored) == pixels
