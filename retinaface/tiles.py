"""Tiles: a large picture is searched in pieces that overlap, so that memory stays bounded.

In:  the size (height, width) of a picture.
Out: `Tile`s that cover it; of the faces of each, those that it owns.

Tiles start at multiples of the network's coarsest stride, so anchors stand where they stand without tiles. Two
neighbours share `OVERLAP` pixels, and each owns the faces whose centre lies on its side of the middle of that strip,
where every face of up to `OVERLAP` - 2 (`MARGIN` + `EDGE`) pixels is whole. One that the tile's edge cuts is larger;
those are searched for in the picture made smaller (`retinaface.detector`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retinaface.anchors import STRIDES
from retinaface.face import Face, boxes_of

TILE = 2048  # pixels a side at most; ONNX Runtime takes 350 MB for one
OVERLAP = 416  # pixels that neighbours share
MARGIN = 32  # pixels by which a tile owns more than its side: a face on the middle is found twice rather than never
EDGE = 4  # pixels: a box that comes nearer to a tile's edge may be cut by it


@dataclass(frozen=True)
class Tile:
    """A piece of a picture, and which faces are its own; rectangles in pixels of the picture.

    rect_xyxy: its pixels. own_xyxy: where centres of its own faces lie. uncut_xyxy: where their boxes lie. Both have no
    end where the picture's edge bounds the tile.
    """

    rect_xyxy: tuple[int, int, int, int]
    own_xyxy: tuple[float, float, float, float]
    uncut_xyxy: tuple[float, float, float, float]

    def view(self, frame: np.ndarray) -> np.ndarray:
        """The tile's pixels in the picture (H, W, 3)."""
        left, top, right, bottom = self.rect_xyxy
        return frame[top:bottom, left:right]

    def owned(self, faces: Sequence[Face]) -> list[Face]:
        """Those of the faces, in pixels of the picture, that are the tile's own and that its edge does not cut."""
        boxes = boxes_of(faces)
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        low, high = np.array(self.own_xyxy).reshape(2, 2)
        least, most = np.array(self.uncut_xyxy).reshape(2, 2)
        own = ((centre >= low) & (centre <= high) & (boxes[:, :2] >= least) & (boxes[:, 2:] <= most)).all(axis=1)
        return [face for face, is_own in zip(faces, own, strict=True) if is_own]


def tiles_of(size_hw: tuple[int, int]) -> list[Tile]:
    """The tiles of a picture, row by row; one that is the whole picture where both sides are at most `TILE`."""
    rows, columns = (_spans(side) for side in size_hw)
    return [
        Tile((x[0], y[0], x[1], y[1]), (x[2], y[2], x[3], y[3]), (x[4], y[4], x[5], y[5]))
        for y, x in itertools.product(rows, columns)
    ]


def _spans(side: int) -> list[tuple[int, int, float, float, float, float]]:
    """Along one side, from where to where each tile goes, centres of its own faces lie, and their boxes lie.

    As few tiles as can be, and about equal ones.
    """
    if side <= TILE:
        return [(0, side, -math.inf, math.inf, -math.inf, math.inf)]
    count = math.ceil((side - OVERLAP) / (TILE - OVERLAP))
    step = math.ceil((side - OVERLAP) / count / STRIDES[-1]) * STRIDES[-1]
    count = math.ceil((side - OVERLAP) / step)  # steps are rounded up: fewer may do
    spans = []
    for number in range(count):
        first, last = number == 0, number == count - 1
        start, end = number * step, side if last else number * step + step + OVERLAP
        low, high = -math.inf if first else start, math.inf if last else end
        spans.append((start, end, low + OVERLAP / 2 - MARGIN, high - OVERLAP / 2 + MARGIN, low + EDGE, high - EDGE))
    return spans
