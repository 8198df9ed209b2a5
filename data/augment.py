"""Augmentation of a training face that keeps its expression.

In:  a random generator; one picture (H, W, 3) uint8 RGB.
Out: a `Change`, which the generator alone decides; the changed picture, square, (size, size, 3) uint8 RGB.

Mirroring, a small rotation, scale, shift and stretch are one affine warp, so the picture is interpolated once. Light
from one side, tone curve, a lower resolution, noise and random erasing follow. No face is turned upside down, no mouth
corner gets another direction. data/device/ applies the same changes to a batch on a GPU.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from support.photometric import low_resolution, tone_curve

ERASED = (0.03, 0.2)  # smallest and largest share of the picture that one rectangle erases


class Change(NamedTuple):
    """What happens to one picture, whatever its size and its pixels are.

    angle, scale, stretch, shift_xy: of the warp; radians, factors, pixels of the output. A picture becomes `stretch`
        times as wide and 1 / stretch times as high: its aspect changes by the square. mirror: -1 or 1.
    gamma: exponent of the tone curve. resolution: share of it that is left. 1 each: as it is.
    light_xy: the light is 1 + light_xy . (x, y), x and y from -1 to 1 over the output.
    noise: standard deviation in grey levels; noise_seed: its pattern (`noise_levels`).
    erased: top, left, height, width of the rectangle; fill: its grey level, (1, 1, 1), or levels (height, width, 1).
    """

    angle: float
    scale: float
    stretch: float
    mirror: float
    shift_xy: np.ndarray
    gamma: float
    resolution: float
    light_xy: tuple[float, float]
    noise: float
    noise_seed: int
    erased: tuple[int, int, int, int]
    fill: np.ndarray


@dataclass(frozen=True)
class Augment:
    """How strong each random change is; 0 turns one off.

    mirror: mirror every second picture, at random.
    rotation_deg: standard deviation of the in-plane rotation, degrees.
    scale, stretch: half-width of the uniform log-scale, and of the log of `Change.stretch`; log-aspect is twice that.
    shift: half-width of the uniform shift, as a share of the side.
    gamma: half-width of the uniform log-exponent of the tone curve.
    blur, erase: probability of a lower resolution, of an erased rectangle.
    light: largest share by which one side is lighter, and the other darker.
    noise: largest standard deviation of noise, grey levels.
    """

    mirror: bool = True
    rotation_deg: float = 8.0
    scale: float = 0.14
    stretch: float = 0.06
    shift: float = 0.08
    gamma: float = 0.4
    blur: float = 0.15
    erase: float = 0.5
    light: float = 0.0
    noise: float = 0.0

    @classmethod
    def of_strength(cls, strength: float, *, light: float = 0.0, noise: float = 0.0) -> Augment:
        """Every change `strength` times as strong as by default, probabilities up to 1; 0: none, not even mirroring.

        light, noise: as they are given, whatever the strength is.
        """
        amounts = {name: strength * value for name, value in dataclasses.asdict(cls()).items() if name != "mirror"}
        amounts |= {name: min(amounts[name], 1.0) for name in ("blur", "erase")}
        return cls(mirror=strength > 0, **amounts | {"light": light, "noise": noise})

    def __call__(self, image: np.ndarray, rng: np.random.Generator, *, size: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> (size, size, 3) uint8 RGB, a new array."""
        return changed(image, self.draw(rng, size=size), size=size)

    def draw(self, rng: np.random.Generator, *, size: int) -> Change:
        """A change for an output of `size` pixels a side."""
        angle = np.deg2rad(rng.normal(0, self.rotation_deg)) if self.rotation_deg else 0.0
        scale = np.exp(rng.uniform(-self.scale, self.scale))
        stretch = np.exp(rng.uniform(-self.stretch, self.stretch))
        mirror = -1.0 if self.mirror and rng.random() < 0.5 else 1.0
        shift_xy = rng.uniform(-self.shift, self.shift, 2) * size
        gamma = np.exp(rng.uniform(-self.gamma, self.gamma)) if self.gamma else 1.0
        resolution = rng.uniform(0.4, 0.9) if rng.random() < self.blur else 1.0
        erased, fill = draw_rectangle(rng, size=size) if rng.random() < self.erase else ((0, 0, 0, 0), GREY)
        light_xy, noise, noise_seed = (0.0, 0.0), 0.0, 0  # drawn last: without them the rest is what it was before them
        if self.light:
            strength, side = rng.uniform(0, self.light), rng.uniform(0, 2 * np.pi)
            x, y = np.cos(side), np.sin(side)
            most = abs(x) + abs(y)  # in a corner
            light_xy = strength * x / most, strength * y / most
        if self.noise:
            noise, noise_seed = rng.uniform(0, self.noise), int(rng.integers(2**31))
        return Change(
            angle, scale, stretch, mirror, shift_xy, gamma, resolution, light_xy, noise, noise_seed, erased, fill
        )


GREY = np.full((1, 1, 1), 128)


class Keys(NamedTuple):
    """The faces of a batch: rows (B,) of the set, times (B,), how often the row came before in its epoch."""

    seed: int
    epoch: int
    rows: np.ndarray
    times: np.ndarray

    def changes(self, augment: Augment, *, size: int) -> list[Change]:
        """One a face, which these numbers decide."""
        faces = zip(self.rows.tolist(), self.times.tolist(), strict=True)
        return [augment.draw(np.random.default_rng((self.seed, self.epoch, *face)), size=size) for face in faces]


def draw_rectangle(rng: np.random.Generator, *, size: int) -> tuple[tuple[int, int, int, int], np.ndarray]:
    """`erased` and `fill` of a `Change`: `ERASED` of the picture, one grey level or noise.

    Zhong et al. 2020, arXiv 1708.04896.
    """
    share, aspect = rng.uniform(*ERASED), np.exp(rng.uniform(-0.9, 0.9))
    height = min(size, round(np.sqrt(share * size * size / aspect)))
    width = min(size, round(np.sqrt(share * size * size * aspect)))
    top, left = rng.integers(0, size - height + 1), rng.integers(0, size - width + 1)
    fill = rng.integers(0, 256, (height, width, 1) if rng.random() < 0.5 else (1, 1, 1))
    return (int(top), int(left), height, width), fill


def changed(image: np.ndarray, change: Change, *, size: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (size, size, 3) uint8 RGB, a new array."""
    image = cv2.warpAffine(
        image,
        warp_matrix(change, image.shape[:2], size),
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    if change.light_xy != (0, 0):
        x, y = np.linspace(-1, 1, size)[None, :, None], np.linspace(-1, 1, size)[:, None, None]
        light = 1 + change.light_xy[0] * x + change.light_xy[1] * y
        image = (image * light).round().clip(0, 255).astype(np.uint8)
    if change.gamma != 1:
        image = cv2.LUT(image, tone_curve(change.gamma))
    if change.resolution < 1:
        image = low_resolution(image, change.resolution)
    if change.noise:
        levels = noise_levels(np.arange(size * size) + (change.noise_seed << 32)).reshape(size, size, 1)
        image = (image + change.noise * levels).round().clip(0, 255).astype(np.uint8)
    top, left, height, width = change.erased
    image[top : top + height, left : left + width] = change.fill
    return image


def warp_matrix(change: Change, size_hw: tuple[int, int], size: int) -> np.ndarray:
    """(2, 3) float64, from pixels of a picture of `size_hw` to those of an output of `size`."""
    height, width = size_hw
    cos, sin = np.cos(change.angle), np.sin(change.angle)
    along_x = change.mirror * change.scale * change.stretch * size / width
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([along_x, change.scale / change.stretch * size / height])
    centre_in = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.column_stack([linear, (size - 1) / 2 + change.shift_xy - linear @ centre_in])


def noise_levels(places: Any) -> Any:
    """Noise of mean 0 and deviation 1, float, at int64 `places` (pattern << 32 | pixel), the same in numpy and torch.

    The finaliser of splitmix64 (Steele et al. 2014) mixes the bits; the sum of four of its bytes is nearly Gaussian.
    """
    bits = places
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15), (31, 1)):
        bits = (bits ^ (bits >> shift & (1 << (64 - shift)) - 1)) * factor  # overflows on purpose
    total = sum(bits >> place & 255 for place in (0, 16, 32, 48))
    return (total - 510) / 147.8  # four uniform bytes: mean 510, variance 4 (256^2 - 1) / 12
