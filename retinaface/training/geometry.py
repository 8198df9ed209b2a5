"""How annotations move with a picture.

In:  affine matrices (2, 3) float64; points (..., 2), boxes (..., 4) xyxy, in pixels, counted from pixel centres.
Out: points and boxes of the transformed picture.
"""

from __future__ import annotations

import numpy as np

MIRRORED_LANDMARKS = (1, 0, 2, 4, 3)  # the left eye of a mirrored face was its right one


def transform_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(..., 2): `points` transformed by a (2, 3) matrix."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def transform_box(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(..., 4): the upright box of a transformed face, which is the bounding box of the ellipse inscribed in `box`.

    The bounding box of the transformed corners would be up to 1.4 times too large.
    """
    centre = transform_points((box[..., :2] + box[..., 2:]) / 2, matrix)
    half = np.sqrt(((box[..., 2:] - box[..., :2]) / 2) ** 2 @ (matrix[:, :2] ** 2).T)
    return np.concatenate([centre - half, centre + half], axis=-1)


def clip_box(box: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """(..., 4): the part of `box` inside `frame` (4,), both xyxy."""
    return np.clip(box, np.tile(frame[:2], 2), np.tile(frame[2:], 2))


def box_area(box: np.ndarray) -> np.ndarray:
    """(...,): areas of xyxy boxes, in square pixels; 0 where one is empty."""
    return np.clip(box[..., 2:] - box[..., :2], 0, None).prod(axis=-1)
