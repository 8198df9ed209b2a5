"""Bands of the face: shares of maps that are known, and only faces that were read rightly."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from helpers.tiny_explained_faces import tiny_explained_faces

from evaluation.explanations.explained_faces import probabilities_of
from evaluation.explanations.face_regions import EDGES, FEWEST, REGIONS, expressions_of, lost_without, region_shares
from pipeline.crops import TEMPLATE


def test_each_landmark_lies_in_its_band():
    for name, landmark in (("eyes", 0), ("nose", 2), ("mouth", 3)):
        region = REGIONS.index(name)
        assert EDGES[region] < TEMPLATE[landmark, 1] < EDGES[region + 1]
    assert list(EDGES) == sorted(EDGES)


def test_an_even_map_has_the_bands_heights():
    np.testing.assert_allclose(region_shares(np.ones((2, 48, 48), np.float32)), [np.diff(EDGES)] * 2, rtol=1e-6)


def test_heat_in_one_row_belongs_to_the_band_of_that_row():
    maps = np.zeros((3, 100, 10), np.float32)
    maps[0, 76] = 1  # the mouth lies at 0.757
    maps[1, 0] = 3
    assert region_shares(maps)[0].argmax() == REGIONS.index("mouth")
    assert region_shares(maps)[1].tolist() == [1, 0, 0, 0, 0]
    assert len(region_shares(maps)) == 2, "a map of zeros has no shares"


def test_expressions_are_of_faces_read_rightly():
    study = tiny_explained_faces(4 * FEWEST)
    labels = study.labels.clone()
    labels[0] = 1  # a red one that is labelled green: read wrongly
    found = expressions_of(dataclasses.replace(study, labels=labels), "gradcam")
    assert [(each.name, each.count, each.of) for each in found] == [
        ("red", 2 * FEWEST - 1, 2 * FEWEST - 1),
        ("green", 2 * FEWEST, 2 * FEWEST + 1),
    ]
    rows = range(2, 4 * FEWEST, 2)
    heat = study.maps("gradcam").numpy()
    np.testing.assert_allclose(found[0].heat, heat[rows].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found[0].face, np.mean(study.images[rows], axis=0), atol=0.5)
    np.testing.assert_allclose(found[0].shares.mean(axis=0), region_shares(heat[rows]).mean(axis=0), atol=1e-6)


def test_what_is_lost_without_a_band():
    study = tiny_explained_faces(4)
    x = torch.zeros(1, 2, 32, 32)
    x[0, 0, 22:27] = 1  # red across the mouth, whose region is 0.671 to 0.843 of the height: rows 21 to 26
    before = probabilities_of(study.network, x)[0, 0].item()
    losses = lost_without(study, x, torch.tensor([0]))
    assert losses.shape == (1, 5)
    grey = x.clone()
    grey[:, 0, 21:27] = x[:, 0].mean()
    expected = before - probabilities_of(study.network, grey)[0, 0].item()
    assert losses[0, REGIONS.index("mouth")] == pytest.approx(expected, abs=1e-6)
    assert losses[0].argmax() == REGIONS.index("mouth")
    assert losses[0, 0] < 0.01  # grey is a little red, so the forehead adds to it


def test_few_faces_are_nobody():
    assert expressions_of(tiny_explained_faces(2 * FEWEST - 1), "gradcam")[0].count == FEWEST
    assert [each.name for each in expressions_of(tiny_explained_faces(2 * FEWEST - 1), "gradcam")] == ["red"]
