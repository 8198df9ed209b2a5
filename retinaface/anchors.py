"""Anchors: the squares that faces are matched to in training; and how boxes overlap.

In:  the size of a picture; boxes (N, 4) xyxy in pixels.
Out: anchors (A, 4) xyxy; intersection over union; the boxes that non-maximum suppression keeps.

Two square anchors stand on every cell of three grids, row by row, finest grid first: the order in which the network
gives its numbers.
"""

from __future__ import annotations

import functools

import numpy as np

STRIDES = (8, 16, 32)  # pixels between cells
SIZES = ((16, 32), (64, 128), (256, 512))  # pixels a side, two anchors on each cell of the grid
ANCHORS = 2


@functools.lru_cache(maxsize=64)
def anchors_for(size_hw: tuple[int, int]) -> np.ndarray:
    """(A, 4) float32 xyxy of every anchor of a picture of `size_hw`, around the network's places; read-only."""
    levels = []
    for stride, sizes in zip(STRIDES, SIZES, strict=True):
        rows, columns = (-(-side // stride) for side in size_hw)  # rounded up, as the network's strided layers do
        y, x, side = np.meshgrid(np.arange(rows) * stride, np.arange(columns) * stride, sizes, indexing="ij")
        half = side / 2
        levels.append(np.stack([x - half, y - half, x + half, y + half], axis=-1).reshape(-1, 4))
    anchors = np.concatenate(levels).astype(np.float32)
    anchors.flags.writeable = False
    return anchors


def iou(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """(A, B) float32 overlap of boxes (A, 4) and (B, 4) xyxy: intersection over union, 0 to 1."""
    top_left = np.maximum(boxes_a[:, None, :2], boxes_b[None, :, :2])
    bottom_right = np.minimum(boxes_a[:, None, 2:], boxes_b[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    areas = [np.clip(b[:, 2:] - b[:, :2], 0, None).prod(axis=1) for b in (boxes_a, boxes_b)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def non_maximum_suppression(
    boxes: np.ndarray, scores: np.ndarray, *, iou_threshold: float, containment: float = 1.0
) -> np.ndarray:
    """Indices of the boxes (N, 4) that stay, best score first: none has an IoU above `iou_threshold` with a better one.

    Nor does any lie with more than the share `containment` of itself in a better one: it is a part of that face.
    """
    order = np.argsort(-scores, kind="stable")
    left, top, right, bottom = boxes[order].T
    area = np.clip(right - left, 0, None) * np.clip(bottom - top, 0, None)
    kept, rest = [], np.arange(len(order))
    while len(rest):  # once for each box that stays
        best, rest = rest[0], rest[1:]
        kept.append(best)
        width = np.minimum(right[rest], right[best]) - np.maximum(left[rest], left[best])
        height = np.minimum(bottom[rest], bottom[best]) - np.maximum(top[rest], top[best])
        intersection = np.clip(width, 0, None) * np.clip(height, 0, None)
        apart = intersection <= iou_threshold * (area[rest] + area[best] - intersection)
        rest = rest[apart & (intersection <= containment * area[rest])]
    return order[kept]
