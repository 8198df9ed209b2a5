"""Changes of a picture's light and sharpness that both trainings draw from.

In:  pictures (H, W, 3) uint8 RGB, a strength.
Out: pictures or lookup tables, uint8.
"""

from __future__ import annotations

import cv2
import numpy as np


def tone_curve(gamma: float) -> np.ndarray:
    """(256,) uint8 lookup table of v ** gamma over [0, 255]."""
    return (255 * (np.arange(256) / 255) ** gamma).round().astype(np.uint8)


def low_resolution(image: np.ndarray, share: float) -> np.ndarray:
    """The picture as a camera `share` as fine would have seen it, at the same size."""
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(1, round(width * share)), max(1, round(height * share))), interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
