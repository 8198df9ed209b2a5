"""Faces for tests of the pipeline: turned ones with heatmaps, a background, close-ups of portraits."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.crops import crop_matrix
from pipeline.run import FaceResult
from retinaface.face import Face

NAMES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
CROP = 32


def turned_face(centre_xy, *, side=100.0, degrees=0.0, heatmap=None, label="happiness"):
    """A face whose crop is a square of about `side` pixels, turned."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.array([[-0.18, -0.12], [0.18, -0.12], [0, 0.085], [-0.14, 0.257], [0.14, 0.257]])
    landmarks = side * points @ turn.T + centre_xy
    box = np.array([*(centre_xy - 0.4 * np.array([side, side])), *(centre_xy + 0.4 * np.array([side, side]))])
    found = Face(box.astype(np.float32), landmarks.astype(np.float32), 0.9)
    probabilities = np.full(len(NAMES), 0.02, np.float32)
    probabilities[NAMES.index(label)] = 0.86
    return FaceResult(found, probabilities, label, 0.86, heatmap, label, crop_matrix(found, CROP))


def spot(column, row, *, spread=2.0):
    """(CROP, CROP) float32: a round spot of heat."""
    y, x = np.mgrid[:CROP, :CROP]
    return np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * spread**2)).astype(np.float32)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def close_up(image: np.ndarray, centre_xy: tuple[float, float], size: float) -> np.ndarray:
    """(240, 320, 3): a face of 100 pixels in the middle."""
    zoom = 100 / size
    matrix = np.array([[zoom, 0, 160 - zoom * centre_xy[0]], [0, zoom, 120 - zoom * centre_xy[1]]])
    return cv2.warpAffine(image, matrix, (320, 240), borderMode=cv2.BORDER_REPLICATE)
