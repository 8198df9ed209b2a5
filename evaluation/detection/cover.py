"""What covers a face: a painted mask, or an object in front of a part of it.

In:  a picture (H, W, 3) uint8 RGB, five landmarks, a random generator.
Out: a new picture of the same size.
"""

from __future__ import annotations

import cv2
import numpy as np

# The outline of a mask over nose, mouth and chin, relative to the middle between the eyes: x in distances between the
# eyes, y in distances from the eyes to the mouth.
MASK_OUTLINE = np.array(
    [[-0.95, 0.35], [-0.4, 0.3], [0.0, 0.2], [0.4, 0.3], [0.95, 0.35], [0.85, 1.05], [0.45, 1.6], [0.0, 1.75],
     [-0.45, 1.6], [-0.85, 1.05]]
)  # fmt: skip


def covered(image: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture with a mask on the face at `landmarks` (5, 2), or with an object in front of a part of it."""
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    across, down = landmarks[1] - landmarks[0], mouth - eyes
    if rng.random() < 0.7:
        wobble = rng.normal(0, 0.06, MASK_OUTLINE.shape)
        lowered = [0.0, rng.choice([0.0, 0.0, 0.0, 0.35])]  # some wear it below the nose
        shape = np.stack([across, down])
        outline = eyes + (MASK_OUTLINE + wobble + lowered) @ shape
    else:
        centre = eyes + rng.uniform(-1.0, 1.0) * across + rng.uniform(-0.6, 1.6) * down
        radius = np.linalg.norm(across) * rng.uniform(0.3, 0.8, 2)
        turn = np.linspace(0, 2 * np.pi, int(rng.integers(4, 12)), endpoint=False)
        outline = centre + np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.round(outline * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    return np.where(inside[..., None] > 127, cloth(image, rng), image)


def cloth(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 of one colour, with the coarse shading of `image`, sometimes striped."""
    colour = rng.choice(np.array([[235, 240, 245], [130, 180, 215], [25, 25, 30], rng.integers(0, 256, 3)]))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    shade = cv2.blur(grey, (15, 15)).astype(np.float32) / max(1.0, grey.mean())
    if rng.random() < 0.3:
        direction = rng.normal(0, 1, 2)
        y, x = np.ogrid[: image.shape[0], : image.shape[1]]
        shade = shade * (1 + 0.15 * np.sin((x * direction[0] + y * direction[1]) * rng.uniform(0.2, 0.8)))
    return (np.asarray(colour) * (0.5 + 0.5 * shade)[..., None]).clip(0, 255).astype(np.uint8)
