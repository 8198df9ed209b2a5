"""The pointing game: an explainer that depends on the class hits, one that does not hits half the time."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from helpers.tiny_explained_faces import tiny_explained_faces

from evaluation.explanations.pointing_game import play, sample_pairs


def test_pairs_are_of_different_classes_classified_correctly_and_no_face_is_in_two():
    faces = tiny_explained_faces(20)
    wrong = faces.labels.clone()
    wrong[3] = 1 - wrong[3]
    pairs = sample_pairs(dataclasses.replace(faces, labels=wrong), seed=2)
    assert len(pairs) > 2
    assert 3 not in pairs
    assert len(np.unique(pairs)) == pairs.size
    labels = faces.labels.numpy()
    assert (labels[pairs[:, 0]] != labels[pairs[:, 1]]).all()
    assert np.array_equal(sample_pairs(faces, seed=2), sample_pairs(faces, seed=2))


def test_no_pairs_without_correct_faces():
    faces = tiny_explained_faces(2)
    assert sample_pairs(dataclasses.replace(faces, labels=1 - faces.labels)).shape == (0, 2)


def test_hits_with_and_without_knowledge_of_the_class():
    faces = tiny_explained_faces(20)
    pairs = sample_pairs(faces)
    with_class, without_class = play(faces, pairs, "gradcam"), play(faces, pairs, "attention")
    assert with_class.hits.tolist() == [1.0] * len(pairs)
    assert with_class.energy.min() > 0.95
    assert without_class.hits.tolist() == [0.5] * len(pairs)
    np.testing.assert_allclose(without_class.energy, 0.5, atol=1e-6)  # what lies on one face lies not on the other
    assert with_class.maps.shape == (2, len(pairs), 16, 32)


def test_a_map_of_zeros_misses():
    faces = tiny_explained_faces(4)
    dark = dataclasses.replace(faces, x=torch.zeros_like(faces.x))
    found = play(dark, np.array([[0, 1]]), "gradcam")
    assert found.hits.tolist() == [0]
    assert found.energy.tolist() == [0]
