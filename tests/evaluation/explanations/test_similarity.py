"""Similarity of heatmaps, against SciPy and scikit-image, and a displacement that was put there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from helpers.tiny_explained_faces import tiny_explained_faces
from scipy.stats import pearsonr, spearmanr
from skimage.metrics import structural_similarity as skimage_ssim

from evaluation.explanations.similarity import (
    correlation,
    displacement,
    mirrored_heatmaps,
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


def test_the_correlation_with_a_constant_map_is_zero(rng):
    maps = rng.random((2, 4, 4))
    maps[1] = 0
    assert rank_correlation(maps, maps).tolist() == [pytest.approx(1), 0]


def test_structural_similarity_is_that_of_scikit_image(rng):
    a, b = rng.random((3, 12, 15)), rng.random((3, 12, 15))
    b[0], b[1] = a[0], 0
    found = structural_similarity(a.astype(np.float32), b.astype(np.float32))
    expected = [skimage_ssim(x, y, data_range=1.0) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found[0] == pytest.approx(1)
    assert found[2] < 0.5


def test_a_symmetric_network_explains_the_mirror_image_alike():
    faces = tiny_explained_faces()
    plain, mirrored = faces.heatmaps(["gradcam"])["gradcam"], mirrored_heatmaps(faces, ["gradcam"])["gradcam"]
    torch.testing.assert_close(plain, mirrored, atol=1e-5, rtol=0)
    assert displacement(plain.numpy(), mirrored.numpy()) == 0
    mistaken = dataclasses.replace(faces, labels=1 - faces.labels)  # what was predicted is explained all the same
    torch.testing.assert_close(mirrored_heatmaps(mistaken, ["gradcam"])["gradcam"], mirrored)


def test_the_largest_displacement_is_as_far_to_either_side():
    """An odd width: a shift of three of five columns would fit exactly, and is further than is looked for."""
    one, other = np.zeros((1, 2, 5)), np.zeros((1, 2, 5))
    one[0, 0, 1] = other[0, 0, 4] = 1
    assert displacement(one, other) == -displacement(one[..., ::-1], other[..., ::-1])


def test_heatmaps_of_zeros_are_not_displaced():
    assert displacement(np.zeros((3, 24, 24)), np.zeros((3, 24, 24))) == 0


@pytest.mark.parametrize("pixels", [0, 2, -3])
def test_a_displacement_that_was_put_there_is_found(pixels):
    rows = np.arange(32)
    places = np.random.default_rng(0).uniform(10, 21, 12)
    blobs = [np.exp(-((rows - place) ** 2 + (rows[:, None] - 16) ** 2) / 18) for place in places]
    maps = np.roll(blobs, pixels, axis=2)
    mirrored = np.roll(blobs, -pixels, axis=2)
    assert displacement(maps, mirrored) == pixels
