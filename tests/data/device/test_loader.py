"""Batches made on the device: the faces, votes and changes of `EpochLoader`, resident or streamed, from any step on."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from data.augment import Augment
from data.device.loader import DeviceLoader, upload
from data.face_set import FaceSet
from data.loader import EpochLoader
from data.pictures.cache import Picture
from data.pictures.store import Pictures

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    """70 noisy pictures of nine sizes; the votes of face i are all for class i."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (20 + i % 9, 30, 3), dtype=np.uint8) for i in range(70)]
    names = tuple(map(str, range(70)))
    return FaceSet(images, np.eye(70, dtype=np.float32), np.arange(70) // 50, names, names)


@pytest.fixture(scope="module")
def pair(faces) -> tuple[EpochLoader, DeviceLoader]:
    loader = EpochLoader(faces, Augment(), 16, balance=0.5, seed=4)
    return loader, DeviceLoader.of(loader, CPU, memory=0.5)


def test_batches_are_those_of_the_loader_that_changes_pictures_on_the_cpu(pair):
    loader, on_device = pair
    assert on_device.fits
    assert len(on_device) == len(loader) == 4
    for (crops, votes), (found, found_votes) in zip(loader.epoch(1, size=24), on_device.epoch(1, size=24), strict=True):
        np.testing.assert_array_equal(found_votes.numpy(), votes)
        assert np.abs(found.numpy().astype(int) - crops).max() <= 3


def same(one: Any, other: Any) -> bool:
    pairs = zip(one, other, strict=True)
    return all(
        torch.equal(*crops) and torch.equal(*votes) for crops, votes in (zip(*both, strict=True) for both in pairs)
    )


def test_what_does_not_fit_is_streamed_to_the_same_batches(faces, pair, monkeypatch):
    loader, on_device = pair
    whole = list(on_device.epoch(2, size=24))
    need = sum(image.nbytes for image in faces.images)
    monkeypatch.setattr("data.device.loader.free_memory_on", lambda device: 2 * need - 2)
    streamed = DeviceLoader.of(loader, CPU, memory=0.5)
    assert not streamed.fits
    assert same(streamed.epoch(2, size=24), whole)
    assert "resident" not in vars(streamed)
    monkeypatch.setattr("data.device.loader.free_memory_on", lambda device: 2 * need)
    assert DeviceLoader.of(loader, CPU, memory=0.5).fits


def test_pictures_that_are_decoded_as_they_are_used_stream(faces):
    sources = [Picture(image) for image in faces.images]
    on_disk = FaceSet(Pictures(sources), faces.votes, faces.labels, faces.names, faces.class_names)
    assert not DeviceLoader(on_disk, Augment(), 16, device=CPU).fits
    in_memory = FaceSet(Pictures(sources, faces.images), faces.votes, faces.labels, faces.names, faces.class_names)
    assert DeviceLoader(in_memory, Augment(), 16, device=CPU).fits


def test_from_the_middle_and_in_processes_the_batches_are_the_same(pair):
    loader, on_device = pair
    whole = list(on_device.epoch(3, size=20))
    assert same(on_device.epoch(3, size=20, first=2), whole[2:])
    second = DeviceLoader(loader.faces, loader.augment, 16, balance=0.5, seed=4, rank=1, world_size=2, device=CPU)
    assert same(second.epoch(3, size=20), [(crops[1::2], votes[1::2]) for crops, votes in whole])


def test_arrays_reach_a_card_from_pinned_memory_without_waiting():
    card, pinned = torch.device("cuda:0"), mock.Mock()
    with mock.patch.object(torch.Tensor, "pin_memory", return_value=pinned):
        assert upload(np.arange(3), card) is pinned.to.return_value
    pinned.to.assert_called_once_with(card, non_blocking=True)
    assert upload(np.arange(3), CPU).tolist() == [0, 1, 2]
