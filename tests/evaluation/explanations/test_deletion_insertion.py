"""Deletion and insertion of scores that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.tiny_explained_faces import tiny_explained_faces

from evaluation.explanations.deletion_insertion import area, blur, channel_means, curve, curves_of, pixel_ranks
from evaluation.explanations.explained_faces import probabilities_of, random_maps


def mean_score(x):
    return x.mean(dim=(1, 2, 3))


def test_ranks_by_hand_and_ties_at_random():
    heatmaps = torch.tensor([[[0.1, 0.9], [0.5, 0.0]]])
    assert pixel_ranks(heatmaps).tolist() == [[[2, 0], [1, 3]]]
    flat = torch.zeros(1, 32, 32)
    first, second = pixel_ranks(flat, seed=0).flatten(), pixel_ranks(flat, seed=1).flatten()
    assert sorted(first.tolist()) == list(range(1024))
    assert not torch.equal(first, second)
    assert abs(np.corrcoef(first, np.arange(1024))[0, 1]) < 0.1, "ties go from top to bottom"


def test_a_curve_replaces_the_highest_pixels_first():
    x = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    start, finish = x, torch.zeros_like(x)
    values = curve(mean_score, start, finish, pixel_ranks(x[:, 0]), steps=4)
    for row in range(3):
        falling = np.sort(x[row].flatten().numpy().astype(np.float64))
        expected = [falling[: 16 - 4 * step].sum() / 16 for step in range(5)]  # 4 of the largest go in each step
        np.testing.assert_allclose(values[row], expected, atol=1e-6)
    assert area(np.array([[1.0, 1.0, 0.0]])) == pytest.approx(0.75)


def test_channel_means_and_blur():
    x = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(channel_means(x)[1, 2], x[1, 2].mean().expand(16, 16))
    blurred = blur(x)
    assert blurred.shape == x.shape
    assert (blurred.std(dim=(2, 3)) < 0.4 * x.std(dim=(2, 3))).all()
    torch.testing.assert_close(blurred[1:, 2:], blur(x[1:, 2:]))  # pictures and channels do not mix
    torch.testing.assert_close(blur(torch.ones(1, 1, 16, 16)), torch.ones(1, 1, 16, 16))


def test_an_informative_map_beats_a_random_one():
    faces = tiny_explained_faces()
    informative = faces.x.amax(dim=1)
    good, bad = (curves_of(faces, heatmaps, steps=8) for heatmaps in (informative, random_maps(faces.x)))
    assert good["deletion"].shape == (8, 9)
    assert (area(good["deletion"]) < area(bad["deletion"])).all()
    assert (area(good["insertion"]) > area(bad["insertion"])).all()
    ends = {"deletion": (faces.x, channel_means(faces.x)), "insertion": (blur(faces.x), faces.x)}
    for kind, inputs in ends.items():
        for column, x in zip((0, -1), inputs, strict=True):
            expected = probabilities_of(faces.network, x).gather(1, faces.predicted[:, None])[:, 0]
            np.testing.assert_allclose(good[kind][:, column], expected, rtol=1e-5)
