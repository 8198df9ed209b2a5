"""Which anchor is to find which face: adaptive training sample selection.

In:  the size of a window; boxes of its faces, and regions to ignore, xyxy in pixels.
Out: for every anchor the number of its face, `BACKGROUND` or `IGNORED`.

ATSS (Zhang et al. 2020, arXiv 1912.02424, algorithm 1): of each face the anchors nearest to its centre are candidates,
the same number at each level; those whose IoU is at least the candidates' mean plus their standard deviation are its
own. So a face that suits the anchors of one level gets anchors of that level alone, and a face between two levels, or
smaller than any anchor, gets what is best for it; a fixed IoU leaves small faces with one anchor or none.
"""

from __future__ import annotations

import numpy as np

from retinaface.anchors import ANCHORS, STRIDES, anchors_for, iou
from retinaface.training.geometry import box_area

BACKGROUND, IGNORED = -1, -2
NEAREST = 9  # places a level and face that are candidates
IGNORE_SHARE = 0.4  # an anchor with a larger share of its area in a region to ignore is ignored


def match_anchors(size_hw: tuple[int, int], boxes: np.ndarray, ignore: np.ndarray) -> np.ndarray:
    """(A,) int64: the row of `boxes` (F, 4) that each anchor is to find, `BACKGROUND`, or `IGNORED`.

    An anchor that several faces select goes to the one with the higher IoU. ignore: (K, 4).
    """
    anchors = anchors_for(size_hw)
    matched = np.full(len(anchors), BACKGROUND, np.int64)
    if len(ignore):
        matched[share_inside(anchors, ignore).max(axis=1) > IGNORE_SHARE] = IGNORED
    if len(boxes):
        candidates = nearest_anchors(size_hw, boxes)
        overlap = np.stack([iou(box[None], anchors[rows])[0] for box, rows in zip(boxes, candidates, strict=True)])
        centres = (anchors[candidates, :2] + anchors[candidates, 2:]) / 2  # (F, C, 2)
        inside = ((centres > boxes[:, None, :2]) & (centres < boxes[:, None, 2:])).all(axis=2)
        threshold = overlap.mean(axis=1, keepdims=True) + overlap.std(axis=1, keepdims=True)
        face, column = np.nonzero(inside & (overlap >= threshold) & (overlap > 0))
        order = overlap[face, column].argsort()  # of several values the last one stays
        matched[candidates[face, column][order]] = face[order]
    return matched


def nearest_anchors(size_hw: tuple[int, int], boxes: np.ndarray) -> np.ndarray:
    """(F, C) int64: the anchors of the places nearest to the centre of each box (F, 4), level by level."""
    middle_x, middle_y = (boxes[:, :2] + boxes[:, 2:]).T[..., None] / 2
    found, start = [], 0
    for stride in STRIDES:
        rows, columns = (-(-side // stride) for side in size_hw)
        across, down = (middle_x - stride * np.arange(columns)) ** 2, (middle_y - stride * np.arange(rows)) ** 2
        distance = (down[:, :, None] + across[:, None]).reshape(len(boxes), -1)  # squared
        count = min(NEAREST, rows * columns)
        place = np.argpartition(distance, count - 1, axis=1)[:, :count, None]
        found.append((start + place * ANCHORS + np.arange(ANCHORS)).reshape(len(boxes), -1))
        start += rows * columns * ANCHORS
    return np.concatenate(found, axis=1)


def share_inside(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """(A, K): the share of the area of each box (A, 4) inside each region (K, 4), 0 to 1; all xyxy."""
    width, height = (
        np.minimum(boxes[:, None, axis + 2], regions[:, axis + 2]) - np.maximum(boxes[:, None, axis], regions[:, axis])
        for axis in (0, 1)
    )
    return width.clip(0) * height.clip(0) / box_area(boxes)[:, None]
