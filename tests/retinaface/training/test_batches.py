"""The batches of the detector's training: the same for a seed, split evenly over processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from retinaface.anchors import anchors_for
from retinaface.training.annotations import Picture
from retinaface.training.batches import SceneBatches
from retinaface.training.scenes import SceneMaker

NOTHING = np.empty((0, 4), np.float32)


@pytest.fixture
def maker() -> SceneMaker:
    """Scenes of one face and one background, both of noise."""
    rng = np.random.default_rng(0)
    image, valid = rng.integers(0, 256, (120, 120, 3), dtype=np.uint8), np.array([0, 0, 120, 120], np.float32)
    box = np.array([[40, 40, 80, 80]], np.float32)
    landmarks = np.array([[[50, 50], [70, 50], [60, 60], [52, 70], [68, 70]]], np.float32)
    face = Picture("face", image, box, landmarks, NOTHING, valid, complete=False)
    return SceneMaker([face, Picture("none", image, NOTHING, landmarks[:0], NOTHING, valid, complete=True)])


def batches(maker: SceneMaker, size: int, **options: int) -> SceneBatches:
    return SceneBatches(maker, steps=5, pixels=4 * 128 * 128, sizes=[size], seed=3, **options)


def test_a_batch_has_targets_for_every_anchor_of_every_scene(maker):
    images, labels, boxes, landmarks = batches(maker, 128)[0]
    count = len(anchors_for((128, 128)))
    assert (images.shape, images.dtype) == ((4, 128, 128, 3), torch.uint8)
    assert (labels.shape, labels.dtype) == ((4, count), torch.int64)
    assert (boxes.shape, landmarks.shape) == ((4, count, 4), (4, count, 10))
    assert (labels == 1).any()


def test_a_resumed_run_gets_the_same_batches(maker):
    whole, rest = batches(maker, 96), batches(maker, 96, first=2)
    assert (len(whole), len(rest)) == (5, 3)
    for a, b in zip(whole[3], rest[1], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


def test_processes_share_the_scenes_of_a_step(maker):
    for step in range(3):
        parts = [batches(maker, 128, first=1, rank=rank, world_size=2)[step] for rank in (0, 1)]
        for whole, a, b in zip(batches(maker, 128, first=1)[step], *parts, strict=True):
            torch.testing.assert_close(torch.stack([a, b], dim=1).flatten(0, 1), whole, equal_nan=True)
    sizes = [len(batches(maker, 96, rank=rank, world_size=3)[0][0]) for rank in range(3)]
    assert sizes == [2, 2, 2]  # of the 7.1 scenes that would fit
