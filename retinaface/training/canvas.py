"""A scene under construction: pictures are blended in, and their faces recorded.

In:  a background, patches with masks, annotated pictures, affine matrices.
Out: the image, and the boxes, landmarks and regions to ignore of the faces on it.
"""

from __future__ import annotations

import cv2
import numpy as np

from retinaface.training.annotations import Picture
from retinaface.training.geometry import box_area, clip_box, transform_box, transform_corners, transform_points

MIRRORED_LANDMARKS = (1, 0, 2, 4, 3)
VISIBLE = 0.4  # share of its box that must lie in the scene for a face to be a target; else it is ignored
SMALLEST_SIDE = 7  # pixels of such a box


class Canvas:
    """A square image (S, S, 3) uint8 RGB, changed in place, and the faces on it."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.boxes: list[np.ndarray] = []
        self.landmarks: list[np.ndarray] = []
        self.ignore: list[np.ndarray] = []

    def covers_a_face(self, matrix: np.ndarray, patch_hw: tuple[int, int]) -> bool:
        """Would a patch of `patch_hw`, placed by `matrix` (2, 3), hide more than a fifth of an earlier face?"""
        patch = transform_box(np.array([0, 0, patch_hw[1], patch_hw[0]], np.float32), matrix)
        return any(box_area(clip_box(box, patch)) > 0.2 * box_area(box) for box in (*self.boxes, *self.ignore))

    def blend(self, patch: np.ndarray, mask: np.ndarray, matrix: np.ndarray) -> None:
        """Blend `patch` (h, w, 3) uint8 in, with opacity `mask` (h, w) float32, transformed by `matrix` (2, 3)."""
        size = len(self.image)
        corners = transform_corners(patch.shape[:2], matrix)
        x1, y1 = np.floor(corners.min(axis=0)).clip(0, size).astype(int)
        x2, y2 = np.ceil(corners.max(axis=0) + 1).clip(0, size).astype(int)
        if x2 <= x1 or y2 <= y1:
            return
        local = matrix - np.array([[0, 0, x1], [0, 0, y1]])
        moved = cv2.warpAffine(patch, local, (int(x2 - x1), int(y2 - y1)), borderMode=cv2.BORDER_REPLICATE)
        weight = cv2.warpAffine(mask, local, (int(x2 - x1), int(y2 - y1)))[..., None]
        part = self.image[y1:y2, x1:x2]
        part[:] = (part + weight * (moved.astype(np.float32) - part)).round()

    def add(
        self,
        picture: Picture,
        matrix: np.ndarray,
        *,
        mirror: bool,
        within: np.ndarray | None = None,
        only_first: bool = False,
    ) -> None:
        """Record the faces of `picture`, transformed by `matrix` (2, 3).

        mirror: the matrix mirrors them. within: xyxy, the part of the picture that was pasted; faces outside it are
        ignored. only_first: only the first face is visible.
        """
        frame = np.array([0, 0, len(self.image), len(self.image)], np.float32)
        for row, (box, points) in enumerate(zip(picture.boxes, picture.landmarks, strict=True)):
            if only_first and row:
                continue
            inside = within is None or box_area(clip_box(box, within)) > 0.7 * box_area(box)
            moved = transform_box(box, matrix)
            visible = clip_box(moved, frame)
            if not box_area(visible):
                continue
            large_enough = min(visible[2:] - visible[:2]) >= SMALLEST_SIDE
            if inside and large_enough and box_area(visible) > VISIBLE * box_area(moved):
                self.boxes.append(visible)
                self.landmarks.append(transform_points(points[list(MIRRORED_LANDMARKS)] if mirror else points, matrix))
            else:
                self.ignore.append(visible)
        self.ignore += [transform_box(box, matrix) for box in picture.ignore] if not only_first else []

    def targets(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """boxes (M, 4), landmarks (M, 5, 2), ignore (K, 4), float32."""
        return (
            np.array(self.boxes, np.float32).reshape(-1, 4),
            np.array(self.landmarks, np.float32).reshape(-1, 5, 2),
            np.array(self.ignore, np.float32).reshape(-1, 4),
        )
