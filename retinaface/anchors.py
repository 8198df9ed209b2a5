"""Anchors: where the network looks, and how its numbers become boxes and landmarks.

In:  the size of a picture; offsets (A, 4) and (A, 10) from the network's heads.
Out: anchors (A, 4), boxes (A, 4) and landmarks (A, 5, 2), all float32 and in pixels.

Two square anchors stand on every cell of three grids, row by row, finest grid first: the order in which the heads
give their numbers. Everything is vectorised, and anchors are remembered for every size: they never change.
"""

from __future__ import annotations

import functools

import numpy as np

STRIDES = (8, 16, 32)  # pixels between cells
SIZES = ((16, 32), (64, 128), (256, 512))  # pixels a side, two anchors on each cell of the grid
LARGEST_LOG = 20.0  # of a size by its anchor's; no face comes near, and exp would overflow
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2  # offsets are divided by these, so that the heads learn numbers near 1


@functools.lru_cache(maxsize=64)
def anchors_for(size_hw: tuple[int, int]) -> np.ndarray:
    """(A, 4) float32 centre x, centre y, width, height of every anchor of a picture of `size_hw`; read-only."""
    levels = []
    for stride, sizes in zip(STRIDES, SIZES, strict=True):
        rows, columns = (-(-side // stride) for side in size_hw)  # rounded up, as the network's strided layers do
        y, x, side = np.meshgrid(
            (np.arange(rows) + 0.5) * stride, (np.arange(columns) + 0.5) * stride, sizes, indexing="ij"
        )
        levels.append(np.stack([x, y, side, side], axis=-1).reshape(-1, 4))
    anchors = np.concatenate(levels).astype(np.float32)
    anchors.flags.writeable = False
    return anchors


def decode_boxes(offsets: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Offsets (A, 4) on anchors (A, 4) -> boxes (A, 4) xyxy (Ren et al. 2015, eq. 2, with variances)."""
    centre = anchors[:, :2] + offsets[:, :2] * CENTRE_VARIANCE * anchors[:, 2:]
    half = anchors[:, 2:] * np.exp(np.minimum(offsets[:, 2:] * SIZE_VARIANCE, LARGEST_LOG)) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def decode_landmarks(offsets: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Offsets (A, 10) on anchors (A, 4) -> landmarks (A, 5, 2) xy."""
    steps = offsets.reshape(-1, 5, 2) * CENTRE_VARIANCE
    return anchors[:, None, :2] + steps * anchors[:, None, 2:]


def encode_boxes(boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """The offsets (A, 4) that `decode_boxes` turns into boxes (A, 4) xyxy."""
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    shift = (centre - anchors[:, :2]) / anchors[:, 2:] / CENTRE_VARIANCE
    return np.concatenate([shift, np.log(size / anchors[:, 2:]) / SIZE_VARIANCE], axis=1)


def encode_landmarks(landmarks: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """The offsets (A, 10) that `decode_landmarks` turns into landmarks (A, 5, 2) xy."""
    shift = (landmarks - anchors[:, None, :2]) / anchors[:, None, 2:] / CENTRE_VARIANCE
    return shift.reshape(-1, 10)


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
