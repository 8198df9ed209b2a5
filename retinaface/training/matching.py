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
        overlap = np.where(selected(size_hw, anchors, boxes), iou(boxes, anchors), -1.0)  # (F, A)
        face = overlap.argmax(axis=0)
        own = overlap.max(axis=0) > 0
        matched[own] = face[own]
    return matched


def selected(size_hw: tuple[int, int], anchors: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(F, A) bool: the anchors (A, 4) that ATSS selects for each of the boxes (F, 4); their centres lie inside."""
    centres = (anchors[:, :2] + anchors[:, 2:]) / 2
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    distance = np.linalg.norm(middles[:, None] - centres[None], axis=2)
    overlap = iou(boxes, anchors)
    candidate = np.zeros(overlap.shape, bool)
    start = 0
    for stride in STRIDES:
        count = ANCHORS * -(-size_hw[0] // stride) * -(-size_hw[1] // stride)
        nearest = min(ANCHORS * NEAREST, count)
        rows = np.argpartition(distance[:, start : start + count], nearest - 1, axis=1)[:, :nearest] + start
        np.put_along_axis(candidate, rows, True, axis=1)
        start += count
    found = np.where(candidate, overlap, np.nan)
    threshold = np.nanmean(found, axis=1) + np.nanstd(found, axis=1)
    inside = ((centres > boxes[:, None, :2]) & (centres < boxes[:, None, 2:])).all(axis=2)
    return candidate & inside & (overlap >= threshold[:, None])


def share_inside(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """(A, K): the share of the area of each box (A, 4) inside each region (K, 4), 0 to 1; all xyxy."""
    top_left = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    return np.clip(bottom_right - top_left, 0, None).prod(axis=2) / box_area(boxes)[:, None]
