"""Batches: every face once an epoch, the same for a seed, also from the middle."""

from __future__ import annotations

import numpy as np
import pytest

from data.augment import Augment
from data.face_set import FaceSet
from data.loader import Batches


@pytest.fixture
def faces() -> FaceSet:
    """23 pictures; picture i is i + 100 all over."""
    images = np.full((23, 12, 12, 3), 100, np.uint8) + np.arange(23, dtype=np.uint8)[:, None, None, None]
    votes = np.eye(23, dtype=np.float32)
    return FaceSet(images, votes, np.arange(23), tuple(map(str, range(23))), tuple(map(str, range(23))))


PLAIN = Augment(mirror=False, turn_deg=0, scale=0, stretch=0, shift=0, gamma=0, blur=0, erase=0)


def test_an_epoch_shows_each_face_at_most_once_with_its_own_votes(faces):
    seen = []
    for crops, votes in Batches(faces, PLAIN, batch_size=4).epoch(0, size=8):
        assert crops.shape == (4, 8, 8, 3)
        assert crops.dtype == np.uint8
        np.testing.assert_array_equal(crops[:, 0, 0, 0] - 100, votes.argmax(axis=1))
        seen += votes.argmax(axis=1).tolist()
    assert len(seen) == len(set(seen)) == 20  # the three that make no batch are others next time


def test_epochs_differ_and_seeds_repeat(faces):
    def order(seed, epoch):
        return np.concatenate(
            [v.argmax(1) for _, v in Batches(faces, PLAIN, batch_size=4, seed=seed).epoch(epoch, size=8)]
        )

    assert np.array_equal(order(0, 0), order(0, 0))
    assert not np.array_equal(order(0, 0), order(0, 1))
    assert not np.array_equal(order(0, 0), order(1, 0))


def test_from_the_middle_it_is_the_same_to_the_bit(faces):
    batches = Batches(faces, Augment(), batch_size=4)
    whole = list(batches.epoch(3, size=12))
    rest = list(batches.epoch(3, size=12, first=2))
    assert len(batches) == 5
    assert len(rest) == 3
    for (a, va), (b, vb) in zip(whole[2:], rest, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(va, vb)


def test_a_consumer_that_stops_early_leaves_no_thread(faces):
    import threading

    before = threading.active_count()
    iterator = Batches(faces, PLAIN, batch_size=4).epoch(0, size=8)
    next(iterator)
    iterator.close()
    assert threading.active_count() == before
