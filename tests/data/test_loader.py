"""Batches: every face once an epoch, the same for a seed, also from the middle of an epoch."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from data.augment import Augment
from data.face_set import FaceSet
from data.loader import EpochLoader, sampled_rows


@pytest.fixture
def faces() -> FaceSet:
    """23 pictures; picture i is i + 100 all over."""
    images = np.full((23, 12, 12, 3), 100, np.uint8) + np.arange(23, dtype=np.uint8)[:, None, None, None]
    votes = np.eye(23, dtype=np.float32)
    return FaceSet(images, votes, np.arange(23), tuple(map(str, range(23))), tuple(map(str, range(23))))


PLAIN = Augment(mirror=False, rotation_deg=0, scale=0, stretch=0, shift=0, gamma=0, blur=0, erase=0)


def test_an_epoch_shows_each_face_at_most_once_with_its_own_votes(faces):
    seen = []
    for crops, votes in EpochLoader(faces, PLAIN, batch_size=4).epoch(0, size=8):
        assert crops.shape == (4, 8, 8, 3)
        assert crops.dtype == np.uint8
        np.testing.assert_array_equal(crops[:, 0, 0, 0] - 100, votes.argmax(axis=1))
        seen += votes.argmax(axis=1).tolist()
    assert len(seen) == len(set(seen)) == 20  # the three that make no batch are others next time


def test_an_epoch_has_the_order_of_numpys_permutation(faces):
    order = [v.argmax(1) for _, v in EpochLoader(faces, PLAIN, batch_size=4, seed=3).epoch(7, size=8)]
    assert np.concatenate(order).tolist() == np.random.default_rng((3, 7)).permutation(23)[:20].tolist()


def test_epochs_differ_and_seeds_repeat(faces):
    def order(seed, epoch):
        return [
            v.argmax(1).tolist() for _, v in EpochLoader(faces, PLAIN, batch_size=4, seed=seed).epoch(epoch, size=8)
        ]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_from_the_middle_of_an_epoch_the_batches_are_the_same(faces):
    loader = EpochLoader(faces, Augment(), batch_size=4)
    whole = list(loader.epoch(3, size=12))
    rest = list(loader.epoch(3, size=12, first=2))
    assert len(loader) == 5
    assert len(rest) == 3
    np.testing.assert_equal(rest, whole[2:])


@pytest.mark.parametrize("world_size", [2, 4])
def test_the_processes_of_a_run_share_each_batch(faces, world_size):
    whole = list(EpochLoader(faces, Augment(), 8, balance=0.5).epoch(1, size=12))
    for rank in range(world_size):
        share = EpochLoader(faces, Augment(), 8, balance=0.5, rank=rank, world_size=world_size)
        assert len(share) == len(whole) == 2
        expected = [(crops[rank::world_size], votes[rank::world_size]) for crops, votes in whole]
        np.testing.assert_equal(list(share.epoch(1, size=12)), expected)


LABELS = np.repeat([0, 1, 2], [70, 20, 10])


@pytest.mark.parametrize(("balance", "expected"), [(0.0, [70, 20, 10]), (1.0, [100 / 3] * 3)])
def test_balance_sets_how_often_each_class_comes(balance, expected):
    rows = sampled_rows(LABELS, np.random.default_rng(0), balance=balance)
    assert len(rows) == 100
    np.testing.assert_allclose(np.bincount(LABELS[rows]), expected, atol=1)


def test_balance_in_between_is_the_power_of_the_frequency(faces):
    rows = np.concatenate([sampled_rows(LABELS, np.random.default_rng(seed), balance=0.5) for seed in range(30)])
    expected = np.sqrt([70, 20, 10]) / np.sqrt([70, 20, 10]).sum()
    np.testing.assert_allclose(np.bincount(LABELS[rows]) / len(rows), expected, atol=0.005)
    each = np.bincount(rows, minlength=100)
    assert each.min() > 0  # over thirty epochs everyone is seen
    once = np.bincount(sampled_rows(LABELS, np.random.default_rng(0), balance=0.5), minlength=100)
    assert set(once[LABELS == 0]) == {0, 1}  # 0.75 times
    assert set(once[LABELS == 1]) == {1, 2}  # 1.40 times


def test_a_face_that_comes_again_is_augmented_anew():
    image = np.tile(np.arange(12, dtype=np.uint8)[None, :, None] * 20, (12, 1, 3))
    one_hot = np.eye(2, dtype=np.float32)[[0] * 15 + [1]]
    faces = FaceSet([image] * 16, one_hot, one_hot.argmax(axis=1), tuple("abcdefghijklmnop"), ("common", "rare"))
    loader = EpochLoader(faces, Augment(), 16, balance=1.0)
    (crops, votes), *_ = loader.epoch(0, size=12)
    rare = crops[votes[:, 1] == 1]
    assert len(rare) == 8
    assert len({crop.tobytes() for crop in rare}) == 8
    np.testing.assert_allclose(loader.class_shares(), [0.5, 0.5])
    np.testing.assert_allclose(EpochLoader(faces, Augment(), 16).class_shares(), [15 / 16, 1 / 16])


def test_a_consumer_that_stops_early_leaves_no_thread(faces):
    before = threading.active_count()
    iterator = EpochLoader(faces, PLAIN, batch_size=4).epoch(0, size=8)
    next(iterator)
    iterator.close()
    assert threading.active_count() == before
