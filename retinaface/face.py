"""Face: what the detector says of one face, in pixels of the frame it was found in; and what a detector is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

LANDMARKS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")  # left as seen in the picture


@dataclass(frozen=True, eq=False)
class Face:
    """One detected face.

    Coordinates are those of pixel centres: the first pixel of a row is at 0, as in OpenCV's warps.

    box_xyxy: (4,) float32, left, top, right, bottom; may reach past the frame's edge.
    landmarks_xy: (5, 2) float32, in the order of `LANDMARKS`.
    score: the detector's probability that this is a face, 0 to 1.
    """

    box_xyxy: np.ndarray
    landmarks_xy: np.ndarray
    score: float

    @property
    def size(self) -> float:
        """The square root of the box's area, pixels."""
        width, height = self.box_xyxy[2:] - self.box_xyxy[:2]
        return float(np.sqrt(max(width, 0) * max(height, 0)))


class Detector(Protocol):
    """What detects faces: `RetinaFace`, or another."""

    def __call__(self, frames: Sequence[np.ndarray]) -> list[list[Face]]:
        """The faces of every frame (H, W, 3) uint8 RGB, best score first."""

    def close(self) -> None:
        """End its threads."""


def resized(points: np.ndarray, zoom: np.ndarray | float) -> np.ndarray:
    """Where coordinates of a picture are once `cv2.resize` has made it `zoom` times as large.

    It keeps the corners of the outer pixels in place, so their middles move.
    """
    return (points + 0.5) * zoom - 0.5
