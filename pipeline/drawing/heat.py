"""Heatmaps over the faces that they explain.

In:  a picture (H, W, 3) uint8 RGB to paint on, in place; faces with their heatmaps.
Out: nothing.

As `gradcam.blend`, in whole numbers: every pixel has one of 256 heights, and each height keeps so much of the
background and adds so much colour. Crops that overlap are painted together: each pixel shows the higher heat.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from gradcam import TURBO_RGB
from pipeline.crops import crop_rects, matrices_from
from pipeline.drawing.primitives import OverlayPatch, Rect
from pipeline.run import FaceResult

FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP  # linear, 0 beyond the crop; from the rectangle to the crop


def paint_heatmaps(canvas: np.ndarray, faces: Sequence[FaceResult], *, alpha: float) -> None:
    """Each face's heatmap where its crop was cut from, as strong as it is high; nothing outside the crops."""
    heated = [(face.heatmap, face.to_crop) for face in faces if face.heatmap is not None]
    if not heated:
        return
    heatmaps, matrices = (np.array(column) for column in zip(*heated, strict=True))  # (N, S, S), (N, 2, 3)
    size = heatmaps.shape[1]
    heights = cv2.convertScaleAbs(heatmaps.reshape(-1, size), alpha=255).reshape(-1, size, size)
    rects = crop_rects(matrices, size, size_hw=canvas.shape[:2])
    from_rects = matrices_from(rects, matrices)
    for rows in groups(rects):
        found = [Rect(*rects[row].tolist()) for row in rows]
        laid = [
            cv2.warpAffine(heights[row], from_rects[row], (rect.width, rect.height), flags=FLAGS)
            for row, rect in zip(rows, found, strict=True)
        ]
        whole = functools.reduce(Rect.union, found)
        if len(rows) > 1:
            together = np.zeros((whole.height, whole.width), np.uint8)
            for rect, height in zip(found, laid, strict=True):
                view = rect.shifted(-whole.left, -whole.top).view(together)
                np.maximum(view, height, out=view)
            laid = [together]
        patch(laid[0], alpha).paint_on(whole.view(canvas))


def groups(rects_xyxy: np.ndarray) -> list[list[int]]:
    """The rows of rectangles (N, 4) in groups: those of one are joined by overlaps. Empty rectangles are in none."""
    low, high = rects_xyxy[:, None, :2], rects_xyxy[None, :, 2:]
    meets = np.all(low < high, axis=2)
    # (N, N): do they share a pixel? Each does with itself, unless it is empty. Floats, since those have a fast product.
    meets = (meets & meets.T).astype(np.float32)
    for _ in range(len(meets).bit_length()):
        meets = np.minimum(meets @ meets, 1)  # twice as long chains
    return [np.flatnonzero(row).tolist() for i, row in enumerate(meets) if row.any() and row.argmax() == i]


def patch(heights: np.ndarray, alpha: float) -> OverlayPatch:
    """What heights (h, w) uint8 do to a background."""
    keep, add = _tables(alpha)
    kept = cv2.LUT(heights, keep)
    return OverlayPatch(cv2.merge([kept, kept, kept]), cv2.applyColorMap(heights, add))


@functools.lru_cache(maxsize=8)
def _tables(alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """(256,) and (256, 1, 3) uint8: how much of the background heat of each height keeps, which colour it adds."""
    strength = alpha * np.arange(256) / 255
    add = strength[:, None, None] * TURBO_RGB
    return (255 * (1 - strength)).round().astype(np.uint8), np.ascontiguousarray(add.round().astype(np.uint8))
