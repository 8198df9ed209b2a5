"""A scene under construction: pictures are blended in, and their faces recorded.

In:  a background, patches with masks, annotated pictures; affine matrices (2, 3) or (3, 3) float64, points (..., 2) and
     boxes (4,) xyxy, in pixels, counted from pixel centres.
Out: the image, and the boxes, landmarks and regions to ignore of the faces on it.
"""

from __future__ import annotations

import cv2
import numpy as np

from retinaface.face import resized
from retinaface.training.annotations import Picture

MIRRORED_LANDMARKS = (1, 0, 2, 4, 3)
VISIBLE = 0.4  # share of its box that must lie in the scene for a face to be a target; else it is ignored
SMALLEST_SIDE = 7  # pixels of such a box


class Canvas:
    """A square image (S, S, 3) uint8 RGB, changed in place, and the faces on it.

    boxes (M, 4), landmarks (M, 5, 2) (NaN: unknown), ignore (K, 4): float, pixels.
    """

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.boxes, self.landmarks, self.ignore = np.empty((0, 4)), np.empty((0, 5, 2)), np.empty((0, 4))

    def covers_a_face(self, matrix: np.ndarray, patch_hw: tuple[int, int]) -> bool:
        """Would a patch of `patch_hw`, placed by `matrix` (2, 3), hide more than a fifth of an earlier face?"""
        patch = transform_box(np.array([0, 0, patch_hw[1], patch_hw[0]], np.float32), matrix)
        return any(box_area(clip_box(box, patch)) > 0.2 * box_area(box) for box in (*self.boxes, *self.ignore))

    def blend(self, patch: np.ndarray, mask: np.ndarray, matrix: np.ndarray) -> None:
        """Blend `patch` (h, w, 3) uint8 in, with opacity `mask` (h, w) float32, transformed by `matrix` (2, 3)."""
        size = len(self.image)
        height, width = patch.shape[:2]
        corners = transform_points(np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64), matrix)
        x1, y1 = np.floor(corners.min(axis=0)).clip(0, size).astype(int)
        x2, y2 = np.ceil(corners.max(axis=0) + 1).clip(0, size).astype(int)
        if x2 <= x1 or y2 <= y1:
            return
        local = matrix - np.array([[0, 0, x1], [0, 0, y1]])
        moved = cv2.warpAffine(patch, local, (int(x2 - x1), int(y2 - y1)), borderMode=cv2.BORDER_REPLICATE)
        weight = cv2.warpAffine(mask, local, (int(x2 - x1), int(y2 - y1)))[..., None]
        part = self.image[y1:y2, x1:x2]
        part[:] = (part + weight * (moved.astype(np.float32) - part)).round()

    def add(self, picture: Picture, matrix: np.ndarray, *, mirror: bool, within: np.ndarray | None = None) -> None:
        """Record the faces of `picture`, transformed by `matrix` (2, 3).

        mirror: the matrix mirrors them. within: xyxy, the part of the picture that was pasted; faces outside it are
        ignored.
        """
        frame = np.array([0, 0, len(self.image), len(self.image)], np.float32)
        for box, points in zip(picture.boxes, picture.landmarks, strict=True):
            inside = within is None or box_area(clip_box(box, within)) > 0.7 * box_area(box)
            moved = transform_box(box, matrix)
            visible = clip_box(moved, frame)
            if not box_area(visible):
                continue
            large_enough = min(visible[2:] - visible[:2]) >= SMALLEST_SIDE
            if inside and large_enough and box_area(visible) > VISIBLE * box_area(moved):
                points = transform_points(points[list(MIRRORED_LANDMARKS)] if mirror else points, matrix)
                self.boxes, self.landmarks = np.vstack([self.boxes, [visible]]), np.vstack([self.landmarks, [points]])
            else:
                self.ignore = np.vstack([self.ignore, [visible]])
        self.ignore = np.vstack([self.ignore, *([transform_box(box, matrix)] for box in picture.ignore)])


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
