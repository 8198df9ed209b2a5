"""Plates: the dark translucent ground under text, and the small marks that stand on it.

In:  a picture (H, W, 3) uint8 RGB to paint on, in place; rectangles in whole pixels.
Out: nothing; the rectangles know what they overlap.

A plate keeps a quarter of the light behind it, so that white text is readable on any ground: at least 9 to 1.
What looks the same in many frames is painted once, as a `OverlayPatch`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from gradcam import blend

OPACITY = 0.75
RED = (255, 72, 66)
DARK = 40  # a plate on most grounds
FINE = 4  # bits below the pixel in the coordinates of smooth shapes


class Rect(NamedTuple):
    """Whole pixels; `right` and `bottom` are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    def overlap(self, other: Rect) -> int:
        """Pixels that both cover."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0, across) * max(0, down)

    def touches(self, other: Rect) -> bool:
        """Do they share a pixel?"""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def inside(self, other: Rect) -> bool:
        """Does it lie in `other` with every pixel?"""
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.top <= self.top
            and self.bottom <= other.bottom
        )

    def common(self, other: Rect) -> Rect:
        """The part that both cover; without pixels where there is none."""
        left, top = between(self.left, other.left, other.right), between(self.top, other.top, other.bottom)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Rect(left, top, max(left, right), max(top, bottom))

    def grown(self, pixels: int) -> Rect:
        """With a margin of so many pixels on each side; less than 0 shrinks."""
        return Rect(self.left - pixels, self.top - pixels, self.right + pixels, self.bottom + pixels)

    def of(self, image: np.ndarray) -> np.ndarray:
        """The part of `image` (H, W, ...) under it; writing to it writes to the image."""
        return image[self.top : self.bottom, self.left : self.right]


def place(left: float, top: float, *, size_wh: tuple[int, int]) -> Rect:
    """The rectangle of that size whose corner is nearest to (left, top)."""
    left, top = round(left), round(top)
    return Rect(left, top, left + size_wh[0], top + size_wh[1])


def between(value: float, low: float, high: float) -> float:
    """`value`, or the end of the range that it passes; `low` where the range is empty."""
    return max(low, min(value, high))


class OverlayPatch(NamedTuple):
    """What is laid on a ground: ground * keep / 255 + add; both (h, w, 3) uint8."""

    keep: np.ndarray
    add: np.ndarray

    def lay(self, ground: np.ndarray) -> None:
        """Lay it on `ground` (h, w, 3) uint8, in place."""
        cv2.multiply(ground, self.keep, dst=ground, scale=1 / 255)
        cv2.add(ground, self.add, dst=ground)


def decal(size_wh: tuple[int, int], paint: Callable[[np.ndarray], None]) -> OverlayPatch:
    """What `paint` does to a canvas of that size, whatever stands on it: it may cover, shade and blend."""
    width, height = size_wh
    on_black, on_white = np.zeros((height, width, 3), np.uint8), np.full((height, width, 3), 255, np.uint8)
    paint(on_black)
    paint(on_white)
    return OverlayPatch(on_white - on_black, on_black)


def paint_plate(canvas: np.ndarray, rect: Rect, *, radius: int) -> None:
    """Darken `rect`, which lies inside the canvas, with round corners."""
    ground = rect.of(canvas)
    cv2.multiply(ground, _left_of_light(rect.width, rect.height, radius), dst=ground, scale=1 / 255)


@functools.lru_cache(maxsize=256)
def _left_of_light(width: int, height: int, radius: int) -> np.ndarray:
    """(height, width, 3) uint8: 255 outside of the round corners, 255 (1 - OPACITY) under the plate."""
    x = np.abs(np.arange(width) - (width - 1) / 2) - (width / 2 - radius)
    y = np.abs(np.arange(height) - (height - 1) / 2) - (height / 2 - radius)
    outside = np.hypot(np.maximum(x, 0)[None, :], np.maximum(y, 0)[:, None]) - radius  # distance to the edge, pixels
    covered = np.clip(0.5 - outside, 0, 1)
    light = (255 * (1 - OPACITY * covered)).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(light[..., None], (height, width, 3)))


def paint_heat_scale(canvas: np.ndarray, rect: Rect) -> None:
    """The colours of heat along the longer side, the highest at the right or on top: the legend and mark of heat."""
    rect.of(canvas)[:] = _heat_scale(rect.width, rect.height)


@functools.lru_cache(maxsize=64)
def _heat_scale(width: int, height: int) -> np.ndarray:
    """(height, width, 3) uint8 RGB: heat as it is painted on faces, on a dark ground."""
    rising = np.linspace(0, 1, max(width, height), dtype=np.float32)
    heat = rising[None, :] if width >= height else rising[::-1, None]
    ground = np.full((height, width, 3), DARK, np.uint8)
    return blend(ground, np.ascontiguousarray(np.broadcast_to(heat, (height, width))), alpha=1.0)


def paint_record_dot(canvas: np.ndarray, rect: Rect) -> None:
    """The red disc of a running recording, in the middle of `rect`."""
    one = 1 << FINE
    centre = (round((rect.left + rect.right - 1) / 2 * one), round((rect.top + rect.bottom - 1) / 2 * one))
    cv2.circle(canvas, centre, round(min(rect.width, rect.height) / 2 * one), RED, -1, cv2.LINE_AA, FINE)


def paint_pause_bars(canvas: np.ndarray, rect: Rect) -> None:
    """The two upright bars of a paused film."""
    third = max(1, round(rect.width / 3))
    for left in (rect.left, rect.right - third):
        Rect(left, rect.top, left + third, rect.bottom).of(canvas)[:] = 255
