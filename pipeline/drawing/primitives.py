"""Rectangles, and what overlays are made of: dark panels under text, patches that are painted once, small icons.

In:  a picture (H, W, 3) uint8 RGB to paint on, in place; rectangles in whole pixels.
Out: nothing; rectangles tell where they lie and what they intersect.

A panel lets a quarter of the light behind it through, so white text is readable on any background: contrast 9 to 1 or
more. What looks the same in many frames is painted once, as an `OverlayPatch`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import cv2
import numpy as np

from gradcam import blend

OPACITY = 0.75  # of panels
RED = (255, 72, 66)
DARK = 40  # a panel over most backgrounds
SUBPIXEL_BITS = 4  # of the fixed-point coordinates that OpenCV draws smooth shapes from

Number = TypeVar("Number", int, float)


class Rect(NamedTuple):
    """Whole pixels; `right` and `bottom` are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def at(cls, left: float, top: float, *, size_wh: tuple[int, int]) -> Rect:
        """The rectangle of that size whose upper left corner is nearest to (left, top)."""
        x, y = round(left), round(top)
        return cls(x, y, x + size_wh[0], y + size_wh[1])

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height

    def intersects(self, other: Rect) -> bool:
        """Do they share a pixel?"""
        left, top, right, bottom = self  # names of a tuple's places are slow, and this is asked thousands of times
        others_left, others_top, others_right, others_bottom = other
        return left < others_right and others_left < right and top < others_bottom and others_top < bottom

    def intersection(self, other: Rect) -> Rect:
        """The part that both cover; its area is 0 where there is none."""
        left, top = clamp(self.left, other.left, other.right), clamp(self.top, other.top, other.bottom)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Rect(left, top, max(left, right), max(top, bottom))

    def union(self, other: Rect) -> Rect:
        """The smallest rectangle that holds both."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        return Rect(left, top, max(self.right, other.right), max(self.bottom, other.bottom))

    def shifted(self, x: int, y: int) -> Rect:
        """So many pixels to the right and down."""
        return Rect(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def inside(self, other: Rect) -> bool:
        """Does it lie in `other` with every pixel?"""
        return self.intersection(other) == self

    def padded(self, pixels: int) -> Rect:
        """With so many pixels more on each side; less than 0 shrinks."""
        return Rect(self.left - pixels, self.top - pixels, self.right + pixels, self.bottom + pixels)

    def view(self, image: np.ndarray) -> np.ndarray:
        """The part of `image` (H, W, ...) under it; writing to it writes to the image."""
        return image[self.top : self.bottom, self.left : self.right]


def clamp(value: Number, low: Number, high: Number) -> Number:
    """`value`, or the end of the range that it passes; `low` where the range is empty."""
    return max(low, min(value, high))


class OverlayPatch(NamedTuple):
    """A small overlay: background * keep / 255 + add; both (h, w, 3) uint8."""

    keep: np.ndarray
    add: np.ndarray

    def paint_on(self, background: np.ndarray) -> None:
        """Lay it over `background` (h, w, 3) uint8, in place."""
        cv2.multiply(background, self.keep, dst=background, scale=1 / 255)
        cv2.add(background, self.add, dst=background)


def overlay_patch(size_wh: tuple[int, int], paint: Callable[[np.ndarray], None]) -> OverlayPatch:
    """What `paint` does to a canvas of that size, on any background: it may cover, darken and blend."""
    on_black = np.zeros((*size_wh[::-1], 3), np.uint8)
    on_white = ~on_black
    paint(on_black)
    paint(on_white)
    return OverlayPatch(on_white - on_black, on_black)


def paint_panel(canvas: np.ndarray, rect: Rect, *, radius: int) -> None:
    """Darken `rect`, which lies inside the canvas, with corners of that radius."""
    background = rect.view(canvas)
    cv2.multiply(background, _transmittance(rect.width, rect.height, radius), dst=background, scale=1 / 255)


@functools.lru_cache(maxsize=256)
def _transmittance(width: int, height: int, radius: int) -> np.ndarray:
    """(height, width, 3) uint8: 255 outside of the round corners, 255 (1 - OPACITY) under the panel."""
    x = np.abs(np.arange(width) - (width - 1) / 2) - (width / 2 - radius)
    y = np.abs(np.arange(height) - (height - 1) / 2) - (height / 2 - radius)
    outside = np.hypot(np.maximum(x, 0)[None, :], np.maximum(y, 0)[:, None]) - radius  # distance to the edge, pixels
    coverage = np.clip(0.5 - outside, 0, 1)
    light = (255 * (1 - OPACITY * coverage)).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(light[..., None], (height, width, 3)))


def paint_colour_scale(canvas: np.ndarray, rect: Rect) -> None:
    """The heatmap's colours along the longer side, the highest at the right or on top: its legend and its mark."""
    rect.view(canvas)[:] = _colour_scale(rect.width, rect.height)


@functools.lru_cache(maxsize=64)
def _colour_scale(width: int, height: int) -> np.ndarray:
    """(height, width, 3) uint8 RGB: a heatmap as it is painted on faces, over a dark background."""
    rising = np.linspace(0, 1, max(width, height), dtype=np.float32)
    heatmap = rising[None, :] if width >= height else rising[::-1, None]
    background = np.full((height, width, 3), DARK, np.uint8)
    return blend(background, np.ascontiguousarray(np.broadcast_to(heatmap, (height, width))), alpha=1.0)


def paint_record_dot(canvas: np.ndarray, rect: Rect) -> None:
    """The red disc of a running recording, in the middle of `rect`."""
    pixel = 1 << SUBPIXEL_BITS
    centre = (round((rect.left + rect.right - 1) / 2 * pixel), round((rect.top + rect.bottom - 1) / 2 * pixel))
    radius = round(min(rect.width, rect.height) / 2 * pixel)
    cv2.circle(canvas, centre, radius, RED, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def paint_pause_bars(canvas: np.ndarray, rect: Rect) -> None:
    """The two upright bars of a paused film."""
    third = max(1, round(rect.width / 3))
    for left in (rect.left, rect.right - third):
        Rect(left, rect.top, left + third, rect.bottom).view(canvas)[:] = 255
