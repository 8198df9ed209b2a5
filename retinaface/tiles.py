"""Tiles: a large picture is searched in pieces that overlap, so that memory stays bounded.

In:  the size (height, width) of a picture.
Out: `Tile`s that cover it; of the faces of each, those that it owns.

Tiles start at multiples of the network's coarsest stride, so anchors stand where they stand without tiles. Two
neighbours share `OVERLAP` pixels, and each owns the faces whose centre lies on its side of the middle of that strip. A
face of up to `OVERLAP` - 2 `MARGIN` pixels is whole in the tile that owns it; larger ones are searched for in the
picture made smaller (`retinaface.detector`). A face that a tile's edge cuts has its centre on the neighbour's side.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retinaface.anchors import STRIDES
from retinaface.face import Face

TILE = 2048  # pixels a side at most; ONNX Runtime takes 350 MB for one
OVERLAP = 416  # pixels that neighbours share
MARGIN = 32  # pixels by which a tile owns more than its side: a face on the middle is found twice rather than never


@dataclass(frozen=True)
class Tile:
    """A piece of a picture: its rows and columns, and the rectangle in which centres of its own faces lie.

    rect_xyxy, own_xyxy: (4,) in pixels of the picture. What a picture's edge bounds is owned without end.
    """

    rect_xyxy: tuple[int, int, int, int]
    own_xyxy: tuple[float, float, float, float]

    def view(self, frame: np.ndarray) -> np.ndarray:
        """The tile's pixels in the picture (H, W, 3)."""
        left, top, right, bottom = self.rect_xyxy
        return frame[top:bottom, left:right]

    def owned(self, faces: Sequence[Face]) -> list[Face]:
        """Those of the faces, in pixels of the picture, whose centre lies in the tile's own part."""
        left, top, right, bottom = self.own_xyxy
        centres = [(face.box_xyxy[:2] + face.box_xyxy[2:]) / 2 for face in faces]
        return [
            face
            for face, (x, y) in zip(faces, centres, strict=True)
            if left <= x <= right and top <= y <= bottom
        ]  # fmt: skip


def tiles_of(size_hw: tuple[int, int]) -> list[Tile]:
    """The tiles of a picture, row by row; one that is the whole picture where both sides are at most `TILE`."""
    rows, columns = (_spans(side) for side in size_hw)
    return [
        Tile((x[0], y[0], x[1], y[1]), (x[2], y[2], x[3], y[3])) for y, x in itertools.product(rows, columns)
    ]  # fmt: skip


def _spans(side: int) -> list[tuple[int, int, float, float]]:
    """Along one side: start and end of each tile, and of the part that it owns; as few and as equal as can be."""
    if side <= TILE:
        return [(0, side, -math.inf, math.inf)]
    count = math.ceil((side - OVERLAP) / (TILE - OVERLAP))
    step = math.ceil((side - OVERLAP) / count / STRIDES[-1]) * STRIDES[-1]
    starts = range(0, side - OVERLAP, step)
    own = OVERLAP / 2 - MARGIN  # where a tile's own part begins behind its start
    return [
        (
            start,
            min(start + step + OVERLAP, side),
            -math.inf if start == 0 else start + own,
            math.inf if start == starts[-1] else start + step + OVERLAP - own,
        )
        for start in starts
    ]
