"""Faces made unrecognisable in what is kept (--blur).

In:  frames (H, W, 3) uint8 RGB, the boxes of their faces, their times.
Out: new frames in which each face is a few blurred patches of its own colours; nothing of it can be brought back.

A detector misses a face now and then for a moment. So where one was seen within the last second and no face is now, the
place stays blurred, also next to a face that is still seen. A face that was never detected is not blurred.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.drawing.primitives import Rect

AROUND = 0.3  # of a box's side, beyond it on each side: hair and chin
PATCHES = 6  # along the longer side of a face
MEMORY_S = 1.0


class FaceBlur:
    """Blurs the frames of one source, one after the other."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, Rect]] = []  # when and where
        self._width = 0  # of the frame

    def see(
        self, frame_rgb: np.ndarray, boxes_xyxy: Sequence[np.ndarray], time_s: float, *, new_scene: bool = False
    ) -> None:
        """Remember the faces in `boxes_xyxy` (4,) of a frame (H, W, 3) uint8 RGB; the same one twice is fine.

        new_scene: the frame does not follow from the one before, so nothing can have been missed.
        """
        self._width = frame_rgb.shape[1]
        frame = Rect(0, 0, self._width, frame_rgb.shape[0])
        rects = [rect for box in boxes_xyxy if (rect := around(box).intersection(frame)).area]
        missed = [
            (seen_s, rect)
            for seen_s, rect in self._seen
            if not new_scene and 0 <= time_s - seen_s <= MEMORY_S and not any(_same(rect, now) for now in rects)
        ]
        self._seen = [*missed, *((time_s, rect) for rect in rects)]

    def mirror(self) -> None:
        """From one of the next frames on they are mirrored: a missed face stays blurred on either side."""
        flipped = [
            (seen_s, Rect(self._width - rect.right, rect.top, self._width - rect.left, rect.bottom))
            for seen_s, rect in self._seen
        ]
        self._seen = list(dict.fromkeys(self._seen + flipped))

    def __call__(self, frame_rgb: np.ndarray) -> np.ndarray:
        """The frame that was seen last, (H, W, 3) uint8 RGB, as a new array with its faces and missed ones blurred."""
        frame = Rect(0, 0, frame_rgb.shape[1], frame_rgb.shape[0])
        blurred = frame_rgb.copy()
        for _, rect in self._seen:
            if (inside := rect.intersection(frame)).area:
                blur(inside.view(blurred))
        return blurred


def _same(before: Rect, now: Rect) -> bool:
    """Are they of one face? Each then holds the middle of the other, as a small face beside a large one does not."""
    return _holds(before, now) and _holds(now, before)


def _holds(rect: Rect, other: Rect) -> bool:
    """Does `rect` hold the middle of `other`?"""
    x, y = (other.left + other.right) / 2, (other.top + other.bottom) / 2
    return rect.left <= x < rect.right and rect.top <= y < rect.bottom


def around(box_xyxy: np.ndarray) -> Rect:
    """The whole head around a face's box (4,), pixels."""
    left, top, right, bottom = np.asarray(box_xyxy, np.float64).tolist()
    x, y = AROUND * (right - left), AROUND * (bottom - top)
    return Rect(round(left - x), round(top - y), round(right + x) + 1, round(bottom + y) + 1)


def blur(view: np.ndarray) -> None:
    """Leave of (h, w, 3) uint8, in place, the means of at most 6 x 6 patches, with soft steps between them."""
    height, width = view.shape[:2]
    scale = min(1.0, PATCHES / max(height, width))
    few_wh = max(1, round(width * scale)), max(1, round(height * scale))
    few = cv2.resize(view, few_wh, interpolation=cv2.INTER_AREA)
    view[:] = cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR)
