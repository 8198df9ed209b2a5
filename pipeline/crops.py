"""Aligned square crops of faces, and the way back for heatmaps.

In:  a frame (H, W, 3) uint8 RGB, its faces with landmarks.
Out: crops (N, S, S, 3) uint8 RGB that look to the network like its training pictures, and the matrices that made them.

In a crop the eyes, the nose and the mouth stand where the detector finds them, on average, in the FER+ training
pictures (`models.preprocess.CROP_TEMPLATE`); so a live face meets the network at the place and size it was
trained at.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from models.preprocess import CROP_TEMPLATE
from retinaface.face import Face

FINEST = 4  # a large face is sampled up to so many times as finely as the crop, then averaged down
FLAT = 1e-12  # determinant below which a matrix has no way back


def similarity(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(2, 3) float64: turn, scale and shift that bring `points` (P, 2) closest to `target` (P, 2).

    Least squares in closed form (Umeyama 1991, for two dimensions; no mirroring). With points as complex numbers the
    answer is one division: z' = a z + b. Points that all lie in one place give a matrix of zeros and a shift.
    """
    z, w = points @ [1, 1j], target @ [1, 1j]
    z0, w0 = z - z.mean(), w - w.mean()
    spread = (np.abs(z0) ** 2).sum()
    a = (z0.conj() * w0).sum() / spread if spread > 0 else 0j
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def crop_matrix(face: Face, size: int) -> np.ndarray:
    """(2, 3) float64 from the frame's pixels to those of a crop of `size` pixels a side (pixel centres at .0)."""
    return similarity(face.landmarks_xy.astype(np.float64), CROP_TEMPLATE * size - 0.5)


def crop_faces(frame_rgb: np.ndarray, faces: Sequence[Face], *, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Crops (N, size, size, 3) uint8 RGB and matrices (N, 2, 3) float64, frame to crop; N may be 0."""
    matrices = np.array([crop_matrix(face, size) for face in faces]).reshape(-1, 2, 3)
    crops = [_warp(frame_rgb, matrix, size) for matrix in matrices]
    return np.array(crops, np.uint8).reshape(-1, size, size, 3), matrices


def _warp(frame_rgb: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """One crop. A face larger than the crop is sampled finely first: picking single pixels would alias."""
    scale = np.hypot(matrix[0, 0], matrix[1, 0])  # crop pixels for one frame pixel
    finer = int(np.clip(np.ceil(1 / scale), 1, FINEST)) if scale > 0 else 1
    # Pixel (i, j) of the crop is the mean of a block of finer x finer pixels: centres move by half a block.
    fine = matrix * finer + np.array([[0, 0, (finer - 1) / 2]] * 2)
    warped = cv2.warpAffine(
        frame_rgb, fine, (size * finer, size * finer), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return warped if finer == 1 else cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)


def points_in_frame(points_xy: np.ndarray, matrix: np.ndarray) -> np.ndarray | None:
    """Points (P, 2) of a crop in pixels of the frame, (P, 2) float64; None where the matrix is one of zeros."""
    turn, shift = matrix[:, :2], matrix[:, 2]
    if abs(np.linalg.det(turn)) < FLAT:
        return None
    return (points_xy - shift) @ np.linalg.inv(turn).T


def crop_rects(matrices: np.ndarray, size: int, *, size_hw: tuple[int, int]) -> np.ndarray:
    """(N, 4) int xyxy inside a frame of `size_hw`: what of it holds each crop of `size` pixels and a pixel around.

    matrices: (N, 2, 3), frame to crop. Right and bottom are the first pixels outside. A matrix of zeros, or a crop
    beyond the frame, gives a rectangle without a pixel.
    """
    (a, b, x), (c, d, y) = matrices.transpose(1, 2, 0)  # (N,) each
    determinant = a * d - b * c
    seen = np.abs(determinant) >= FLAT
    inverse = np.array([[d, -b], [-c, a]]) / np.where(seen, determinant, 1)  # (2, 2, N)
    middle, half = (size - 1) / 2, (size + 1) / 2
    centres = np.einsum("ijn,jn->in", inverse, np.array([middle - x, middle - y]))  # (2, N)
    reach = half * np.abs(inverse).sum(axis=1)
    limit = np.array([[size_hw[1]], [size_hw[0]]]) * seen
    corners = [np.floor(centres - reach), np.ceil(centres + reach) + 1]
    return np.concatenate([corner.clip(0, limit) for corner in corners]).T.astype(int)


def matrices_from(rects_xyxy: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """(N, 2, 3): from the pixels of each rectangle (N, 4) of a frame to its crop's; `matrices`: from the frame's."""
    moved = matrices.copy()
    moved[:, :, 2] += np.einsum("nij,nj->ni", matrices[:, :, :2], rects_xyxy[:, :2])
    return moved
