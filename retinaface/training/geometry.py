"""Geometry of scenes: affine matrices, and where points and boxes go.

In:  matrices (2, 3) or (3, 3) float64, points (..., 2), boxes (4,) xyxy, in pixels, counted from pixel centres.
Out: the same kinds.
"""

from __future__ import annotations

import numpy as np

from retinaface.face import resized


def placement_matrix(
    size_hw: tuple[int, int], angle_deg: float, centre_xy: np.ndarray, shape: np.ndarray
) -> np.ndarray:
    """(2, 3) float64: applies `shape` (2, 2) to a patch of `size_hw`, rotates it, puts its centre on `centre_xy`.

    shape: mirroring, stretch and shear.
    """
    angle = np.deg2rad(angle_deg)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = rotation @ shape
    centre = np.array([size_hw[1] - 1, size_hw[0] - 1]) / 2
    return np.column_stack([linear, centre_xy - linear @ centre])


def resize_matrix(zoom_xy: np.ndarray, corner_xy: np.ndarray) -> np.ndarray:
    """(3, 3) float64: where pixel centres go when the part that starts at `corner_xy` is resized by `zoom_xy`; (2,)."""
    return np.block([[np.diag(zoom_xy), resized(-corner_xy, zoom_xy)[:, None]], [np.zeros(2), 1]])


def transform_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(..., 2): `points` transformed by a (2, 3) matrix."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def transform_corners(size_hw: tuple[int, int], matrix: np.ndarray) -> np.ndarray:
    """(4, 2): where the corners of a patch of `size_hw` go."""
    height, width = size_hw
    return transform_points(np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64), matrix)


def transform_box(box: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(4,): the upright box of a transformed face, which is the bounding box of the ellipse inscribed in `box`.

    The bounding box of the transformed corners would be up to 1.4 times too large.
    """
    centre = transform_points((box[:2] + box[2:]) / 2, matrix)
    half = np.sqrt((matrix[:, :2] ** 2) @ ((box[2:] - box[:2]) / 2) ** 2)
    return np.concatenate([centre - half, centre + half])


def clip_box(box: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """(4,): the part of `box` inside `frame`, both xyxy."""
    return np.concatenate([np.clip(box[:2], frame[:2], frame[2:]), np.clip(box[2:], frame[:2], frame[2:])])


def box_area(box: np.ndarray) -> float:
    """Area of an xyxy box, in square pixels; 0 where it is empty."""
    return float(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))
