"""How a face looks, in a few numbers that stay in memory: is this the face of a moment ago?

In:  frames (H, W, 3) uint8 RGB, boxes.
Out: grey patches (`PATCH`, `PATCH`) uint8 around faces, and how alike two of them are.

Place and motion cannot tell that another person sits where one sat a frame ago. Within a quarter of a second a face
hardly changes, so the middle of its patch is searched for in the patch of before by normalised cross-correlation
(Lewis 1995), which brightness and contrast do not change. Over longer times heads turn, and this says nothing.
"""

from __future__ import annotations

import cv2
import numpy as np

PATCH, MIDDLE = 42, 24  # pixels a side
AROUND = 1.4 * PATCH / MIDDLE  # side of a patch, in sizes of its face: the middle shows the face with its hair
SMALLEST = 24  # size in pixels from which on a face tells enough
STRUCTURE = 8.0  # standard deviation of grey values, of 255, below which a patch tells nothing
WHITE, BLEACHED = 250, 0.2  # grey value that a flash has bleached; share of the middle that may be


def face_patch(frame_rgb: np.ndarray, box_xyxy: np.ndarray) -> np.ndarray | None:
    """(PATCH, PATCH) uint8 grey: the face and what is around it; None where it is too small or tells nothing."""
    size = float(np.sqrt(np.clip(box_xyxy[2:] - box_xyxy[:2], 0, None).prod()))
    if size < SMALLEST:
        return None
    finer = 2  # sampled twice as finely, then averaged
    zoom = finer * PATCH / (AROUND * size)
    shift = (finer * PATCH - 1) / 2 - zoom * (box_xyxy[:2] + box_xyxy[2:]) / 2
    fine = cv2.warpAffine(
        frame_rgb,
        np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]], np.float64),
        (finer * PATCH, finer * PATCH),
        borderMode=cv2.BORDER_REPLICATE,
    )
    patch = cv2.cvtColor(cv2.resize(fine, (PATCH, PATCH), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    tells = patch.std() >= STRUCTURE and (middle_of(patch) >= WHITE).mean() <= BLEACHED
    return patch if tells else None


def likeness(before: np.ndarray, now: np.ndarray) -> float:
    """Correlation, -1 to 1, of the middle of `now` with the place in `before` where it fits best."""
    return float(cv2.matchTemplate(before, middle_of(now), cv2.TM_CCOEFF_NORMED).max())


def middle_of(patch: np.ndarray) -> np.ndarray:
    """(MIDDLE, MIDDLE): the face and its hair."""
    edge = (PATCH - MIDDLE) // 2
    return patch[edge : edge + MIDDLE, edge : edge + MIDDLE]
