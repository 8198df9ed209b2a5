"""Doubts: sets that are not what they claim are told from those that only look unusual."""

from __future__ import annotations

import numpy as np
import pytest

from data.datasets.raf_db import CLASS_NAMES, PUBLISHED
from data.doubts import find_doubts, refuse_doubts
from data.face_set import FaceSet
from support import UserError


def faces_with(
    labels: np.ndarray, votes: np.ndarray | None = None, class_names: tuple[str, ...] = CLASS_NAMES
) -> FaceSet:
    one_hot = np.eye(len(class_names), dtype=np.float32)[labels]
    names = tuple(map(str, range(len(labels))))
    images = np.zeros((len(labels), 1, 1, 3), np.uint8)
    return FaceSet(images, one_hot if votes is None else votes, labels, names, class_names, has_votes=votes is not None)


def names_of(faces: FaceSet, published: dict[str, int] | None = None) -> list[str]:
    return [doubt.name for doubt in find_doubts(faces, published or {})]


def noisy_votes(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Votes of ten people, who are right seven times of ten."""
    shares = np.full((len(labels), 7), 0.05)
    shares[np.arange(len(labels)), labels] = 0.7
    return np.stack([rng.multinomial(10, row) for row in shares]).astype(np.float32) / 10


def test_votes_in_the_order_of_the_labels_raise_no_doubt(rng):
    labels = rng.integers(0, 7, 400)
    assert names_of(faces_with(labels, noisy_votes(labels, rng))) == []
    assert names_of(faces_with(labels)) == []


def test_one_label_for_all_faces_is_in_doubt():
    assert names_of(faces_with(np.full(5, 2))) == ["one-class"]
    assert names_of(faces_with(np.array([2, 2, 3]))) == []


@pytest.mark.parametrize("order", [[6, 0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 6, 5]])
def test_votes_in_another_order_do_even_if_only_two_columns_are_swapped(rng, order):
    labels = rng.integers(0, 7, 400)
    (doubt,) = find_doubts(faces_with(labels, noisy_votes(labels, rng)[:, order]), {})
    assert doubt.name == "vote-order"
    assert "those labelled" in doubt.sentence or "by most votes the faces labelled" in doubt.sentence


def published_labels(n: int, order: list[int] | None = None) -> np.ndarray:
    counts = np.array([PUBLISHED[name] for name in CLASS_NAMES])
    labels = np.repeat(np.arange(7), np.round(counts / counts.sum() * n).astype(int))
    return labels if order is None else np.array(order)[labels]


def test_labels_that_count_the_classes_in_another_order_raise_one():
    assert names_of(faces_with(published_labels(2000)), PUBLISHED) == []
    doubts = find_doubts(faces_with(published_labels(2000, [1, 2, 3, 4, 5, 6, 0])), PUBLISHED)
    assert [doubt.name for doubt in doubts] == ["label-scheme"]
    assert "count the classes differently" in doubts[0].sentence


def test_a_part_of_the_data_with_other_shares_is_no_other_scheme():
    assert names_of(faces_with(np.arange(2100) % 7), PUBLISHED) == []  # as many of each
    assert names_of(faces_with(published_labels(300, [1, 2, 3, 4, 5, 6, 0])), PUBLISHED) == []  # too few to tell


def test_folders_that_are_parts_of_a_data_set_are_no_classes():
    (doubt,) = find_doubts(faces_with(np.array([0, 1]), class_names=("aligned", "original")), {})
    assert doubt.name == "class-names"
    assert "aligned, original would be classes" in doubt.sentence


def test_a_doubt_is_refused_unless_it_is_named():
    doubts = find_doubts(faces_with(np.array([0, 1]), class_names=("aligned", "original")), {})
    with pytest.raises(UserError, match="train in spite of it with --accept class-names"):
        refuse_doubts(doubts, ["vote-order"])
    refuse_doubts(doubts, ["class-names"])
    with pytest.raises(
        UserError, match="--accept takes vote-order, label-scheme, class-names, one-class, not everything"
    ):
        refuse_doubts([], ["everything"])
