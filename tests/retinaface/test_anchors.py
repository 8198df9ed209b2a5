"""Anchors, overlap and suppression, against hand-made numbers and torchvision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision

from retinaface.anchors import anchors_for, iou, non_maximum_suppression


def random_boxes(rng, count: int, size: float = 100.0) -> np.ndarray:
    corner = rng.uniform(0, size, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(1, size / 2, (count, 2))], axis=1).astype(np.float32)


def test_anchors_of_a_small_picture_by_hand():
    anchors = anchors_for((33, 40))  # grids of 5x5, 3x3 and 2x2 cells, rounded up
    assert anchors.shape == (2 * (25 + 9 + 4), 4)
    assert anchors[0].tolist() == [-8, -8, 8, 8]
    assert anchors[1].tolist() == [-16, -16, 16, 16]
    assert anchors[2].tolist() == [0, -8, 16, 8]  # x runs first
    assert anchors[10].tolist() == [-8, 0, 8, 16]
    assert anchors[50].tolist() == [-32, -32, 32, 32]
    assert anchors[-1].tolist() == [32 - 256, 32 - 256, 32 + 256, 32 + 256]


def test_anchors_are_remembered_and_cannot_be_spoilt():
    assert anchors_for((64, 64)) is anchors_for((64, 64))
    with pytest.raises(ValueError, match="read-only"):
        anchors_for((64, 64))[0, 0] = 1


def test_iou_is_torchvisions(rng):
    a, b = random_boxes(rng, 30), random_boxes(rng, 20)
    expected = torchvision.ops.box_iou(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(iou(a, b), expected, atol=1e-6)
    assert iou(a, b[:0]).shape == (30, 0)
    assert iou(np.zeros((1, 4)), np.zeros((1, 4)))[0, 0] == 0  # no area, no overlap, no warning


@pytest.mark.parametrize("threshold", [0.1, 0.4, 0.7])
def test_suppression_is_torchvisions(rng, threshold):
    boxes, scores = random_boxes(rng, 200), rng.permutation(200).astype(np.float32)
    expected = torchvision.ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold).numpy()
    np.testing.assert_array_equal(non_maximum_suppression(boxes, scores, iou_threshold=threshold), expected)


def test_suppression_of_nothing():
    assert non_maximum_suppression(np.empty((0, 4)), np.empty(0), iou_threshold=0.4).shape == (0,)


def test_a_part_of_a_face_is_no_face_of_its_own():
    boxes = np.array([[0, 0, 100, 100], [30, 50, 70, 95], [80, 60, 120, 100], [0, 0, 300, 300]], np.float32)
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)  # all of the second, half of the third lie in the first
    assert non_maximum_suppression(boxes, scores, iou_threshold=0.4).tolist() == [0, 1, 2, 3]
    assert non_maximum_suppression(boxes, scores, iou_threshold=0.4, containment=0.9).tolist() == [0, 2, 3]
    assert non_maximum_suppression(boxes, scores[::-1], iou_threshold=0.4, containment=0.9).tolist() == [3]
