"""Augmentation of windows: light, tone, colour, blur, noise, compression.

In:  pictures (H, W, 3) uint8 RGB, a random generator.
Out: new pictures of the same size.
"""

from __future__ import annotations

import cv2
import numpy as np

from support.photometric import low_resolution, tone_curve


def relight(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture with random light, tone curve, colour, grey, blur, noise and JPEG; a new array."""
    if rng.random() < 0.04:
        image = lit_from_one_side(image, rng)
    contrast, offset = rng.uniform(0.75, 1.2), rng.uniform(-25, 25)
    curve = (tone_curve(np.exp(rng.normal(0, 0.2))).astype(np.float32) - 128) * contrast + 128 + offset
    if rng.random() < 0.1:  # a dark room
        curve = curve.clip(0, 255) * rng.uniform(0.12, 0.6)
    colour = rng.uniform(0.75, 1.25, 3) if rng.random() < 0.2 else np.ones(3)
    image = cv2.LUT(image, (curve[:, None] * colour).clip(0, 255).round().astype(np.uint8)[:, None])
    if rng.random() < 0.1:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.06:
        image = low_resolution(image, rng.uniform(0.35, 0.9))
    if rng.random() < 0.05:
        image = motion_blurred(image, rng)
    if rng.random() < 0.15:
        grain = rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(0, 13)
        image = (image + grain).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.12:
        encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))])[1]
        image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB))
    return image


def motion_blurred(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture as if the camera had moved by 3, 5 or 7 pixels, in a random direction."""
    length = int(rng.choice([3, 5, 7]))
    path = np.zeros((length, length), np.float32)
    path[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), rng.uniform(0, 180), 1)
    turned = cv2.warpAffine(path, turn, (length, length))
    return cv2.filter2D(image, -1, turned / turned.sum())


def lit_from_one_side(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture under light that falls off across it, in a random direction."""
    height, width = image.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
    ramp = (x * np.cos(angle) + y * np.sin(angle)) / np.sqrt(0.5) + 0.5  # about 0 to 1
    dark, bright = rng.uniform(0.15, 0.7), rng.uniform(1.0, 1.6)
    return (image * (dark + (bright - dark) * ramp.clip(0, 1))[..., None]).clip(0, 255).astype(np.uint8)
