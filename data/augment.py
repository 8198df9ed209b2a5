"""Augmentation of a training face that keeps its expression.

In:  one picture (H, W, 3) uint8 RGB and a random generator.
Out: a square picture (size, size, 3) uint8 RGB.

Mirroring, a small rotation, scale, shift and stretch are one affine warp, so the picture is interpolated once. Tone
curve, blur and random erasing follow. No face is turned upside down, no mouth corner gets another direction.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from support.photometric import low_resolution, tone_curve

ERASED = (0.03, 0.2)  # smallest and largest share of the picture that one rectangle erases


@dataclass(frozen=True)
class Augment:
    """How strong each random change is; 0 turns one off.

    mirror: mirror every second picture, at random.
    rotation_deg: standard deviation of the in-plane rotation, degrees.
    scale, stretch: half-width of the uniform log-scale and log-aspect.
    shift: half-width of the uniform shift, as a share of the side.
    gamma: half-width of the uniform log-exponent of the tone curve.
    blur, erase: probability of a lower resolution, of an erased rectangle.
    """

    mirror: bool = True
    rotation_deg: float = 8.0
    scale: float = 0.14
    stretch: float = 0.06
    shift: float = 0.08
    gamma: float = 0.4
    blur: float = 0.15
    erase: float = 0.5

    @classmethod
    def of_strength(cls, strength: float) -> Augment:
        """Every change `strength` times as strong as by default, probabilities up to 1; 0: none, not even mirroring."""
        own = cls()
        amounts = {name: strength * value for name, value in dataclasses.asdict(own).items() if name != "mirror"}
        return cls(mirror=strength > 0, **amounts | {name: min(amounts[name], 1.0) for name in ("blur", "erase")})

    def __call__(self, image: np.ndarray, rng: np.random.Generator, *, size: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> (size, size, 3) uint8 RGB, a new array."""
        image = cv2.warpAffine(
            image,
            self._matrix(image, rng, size),
            (size, size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        if self.gamma:
            image = cv2.LUT(image, tone_curve(np.exp(rng.uniform(-self.gamma, self.gamma))))
        if rng.random() < self.blur:
            image = low_resolution(image, rng.uniform(0.4, 0.9))
        if rng.random() < self.erase:
            erase_rectangle(image, rng)
        return image

    def _matrix(self, image: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
        """(2, 3) float64, from the picture's pixels to the output's."""
        height, width = image.shape[:2]
        angle = np.deg2rad(rng.normal(0, self.rotation_deg)) if self.rotation_deg else 0.0
        scale = np.exp(rng.uniform(-self.scale, self.scale))
        stretch = np.exp(rng.uniform(-self.stretch, self.stretch))
        mirror = -1.0 if self.mirror and rng.random() < 0.5 else 1.0
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = rotation @ np.diag([mirror * scale * stretch * size / width, scale / stretch * size / height])
        centre_in = np.array([(width - 1) / 2, (height - 1) / 2])
        centre_out = (size - 1) / 2 + rng.uniform(-self.shift, self.shift, 2) * size
        return np.column_stack([linear, centre_out - linear @ centre_in])


def erase_rectangle(image: np.ndarray, rng: np.random.Generator) -> None:
    """Overwrite `ERASED` of `image`, in place, with one grey level or noise (Zhong et al. 2020, arXiv 1708.04896)."""
    height, width = image.shape[:2]
    share, aspect = rng.uniform(*ERASED), np.exp(rng.uniform(-0.9, 0.9))
    box_h = min(height, round(np.sqrt(share * height * width / aspect)))
    box_w = min(width, round(np.sqrt(share * height * width * aspect)))
    top, left = rng.integers(0, height - box_h + 1), rng.integers(0, width - box_w + 1)
    fill = rng.integers(0, 256, (box_h, box_w, 1) if rng.random() < 0.5 else None)
    image[top : top + box_h, left : left + box_w] = fill
