"""Heatmaps as pictures: scaled to [0, 1], enlarged to where their cells look, painted over a face.

In:  maps (N, h, w) float32, arrays or tensors.
Out: the same kind, (N, H, W) in [0, 1]; a blended picture (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np

from support.resize import resizing

Cells: TypeAlias = tuple[float, float] | None  # (first, step): where a layer's cells look, see `enlarge`

if TYPE_CHECKING:
    Array: TypeAlias = Any  # np.ndarray or Tensor, which share the methods used

# (256, 1, 3) uint8, made once: applyColorMap would make it anew at each call
TURBO_RGB = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)[..., ::-1].copy()


def to_unit_range(maps: Array) -> Array:
    """(N, h, w) of 0 and more -> each divided by its own maximum; a map of zeros stays one."""
    highest = maps.max(axis=(1, 2), keepdims=True) if isinstance(maps, np.ndarray) else maps.amax((1, 2), keepdim=True)
    return maps / (highest + (highest == 0))


def enlarge(heatmaps: Array, size_hw: tuple[int, int], cells: Cells = None) -> Array:
    """(N, h, w) -> (N, *size_hw), linear between the centres of the cells, which lie over the input where they look.

    cells: (first, step): cell i looks at pixel first + i * step of the input; past the outermost cells the map stays
        level. None: the cells tile the input, as those of 2x2 poolings do. Strided convolutions with padding do not:
        their first cell looks at pixel 0, and tiles would lie half a cell too far right and down.
    """
    place = resizing if cells is None else functools.partial(_placing, *cells)
    rows, columns = (place(*sides) for sides in zip(heatmaps.shape[1:], size_hw, strict=True))
    if not isinstance(heatmaps, np.ndarray):
        rows, columns = heatmaps.new_tensor(rows), heatmaps.new_tensor(columns)
    return rows @ heatmaps @ columns.T


@functools.lru_cache(maxsize=64)
def _placing(first: float, step: float, inputs: int, outputs: int) -> np.ndarray:
    """(outputs, inputs) float32: how much of each cell is in each pixel; each row sums to 1."""
    at = ((np.arange(outputs) - first) / step).clip(0, inputs - 1)  # pixels, counted in cells
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(inputs))).astype(np.float32)


def blend(image_rgb: np.ndarray, heatmap: np.ndarray, *, alpha: float = 0.5) -> np.ndarray:
    """The picture (H, W, 3) uint8 RGB under the heat (H, W) in [0, 1]; a new array.

    Heat is painted as strongly as it is high, up to `alpha`: what the network ignored keeps its own colours.
    """
    colour_rgb = cv2.applyColorMap(cv2.convertScaleAbs(heatmap, alpha=255), TURBO_RGB)
    strength = np.float32(alpha) * heatmap
    return cv2.blendLinear(image_rgb, colour_rgb, 1 - strength, strength)
