"""The pointing game: who knows the class finds its face, who does not is right half the time."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from helpers.tiny_explained_faces import tiny_explained_faces

from evaluation.explanations.pointing_game import pairs_of, play, side_by_side


def test_pairs_are_of_different_expressions_read_rightly_and_nobody_plays_twice():
    study = tiny_explained_faces(20)
    wrong = study.labels.clone()
    wrong[3] = 1 - wrong[3]
    pairs = pairs_of(dataclasses.replace(study, labels=wrong), seed=2)
    assert len(pairs) > 2
    assert 3 not in pairs
    assert len(np.unique(pairs)) == pairs.size
    labels = study.labels.numpy()
    assert (labels[pairs[:, 0]] != labels[pairs[:, 1]]).all()
    assert np.array_equal(pairs_of(study, seed=2), pairs_of(study, seed=2))


def test_nobody_to_pair():
    study = tiny_explained_faces(2)
    assert pairs_of(dataclasses.replace(study, labels=1 - study.labels)).shape == (0, 2)


def test_side_by_side():
    study = tiny_explained_faces(4)
    x = side_by_side(study.x, np.array([[2, 1]]))
    assert x.shape == (1, 2, 16, 32)
    assert torch.equal(x[0, :, :, :16], study.x[2])
    assert torch.equal(x[0, :, :, 16:], study.x[1])


def test_who_knows_the_class_hits_and_who_does_not_hits_half():
    study = tiny_explained_faces(20)
    pairs = pairs_of(study)
    knows, ignores = play(study, pairs, "gradcam"), play(study, pairs, "attention")
    assert knows.hits.tolist() == [1.0] * len(pairs)
    assert knows.energy.min() > 0.95
    assert ignores.hits.tolist() == [0.5] * len(pairs)
    np.testing.assert_allclose(ignores.energy, 0.5, atol=1e-6)  # what lies on one face lies not on the other
    assert knows.maps.shape == (2, len(pairs), 16, 32)


def test_a_map_of_zeros_misses():
    study = tiny_explained_faces(4)
    dark = dataclasses.replace(study, x=torch.zeros_like(study.x))
    found = play(dark, np.array([[0, 1]]), "gradcam")
    assert found.hits.tolist() == [0]
    assert found.energy.tolist() == [0]
