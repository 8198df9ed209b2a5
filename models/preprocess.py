"""From crops to a network's input: the only resize-and-normalise in the project.

In:  crops (N, S, S, 3) uint8 RGB.
Out: a tensor (N, C, h, w) float32 on the device asked for, or an array of the same numbers, made without torch.

Training, evaluation, the live loop and every export share one `Preprocess`, which travels in the checkpoint.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.header import mapping, numbers, whole
from support import UserError
from support.resize import resizing

if TYPE_CHECKING:  # torch is imported where it is used
    import torch
    from torch import Tensor

    from gradcam import Array

# Mean position of the five landmarks as a share of the crop's side, over the first 3,000 FER+ training pictures, made
# symmetric left to right: python -m evaluation.classification.through_pipeline --template
CROP_TEMPLATE = np.array([[0.326, 0.377], [0.674, 0.377], [0.5, 0.586], [0.352, 0.754], [0.648, 0.754]])
LUMA_BT601 = (0.299, 0.587, 0.114)  # the weights cv2 uses for RGB to grey
LARGEST_SIDE = 4096  # pixels of what a network may see
STANDARD_DEVIATION_FLOOR = 8.0  # grey levels; a flat picture must not become amplified noise


@dataclass(frozen=True)
class Preprocess:
    """What a network wants to see.

    size_hw: height and width in pixels.
    channels: 3 for RGB, 1 for grey (BT.601 luma).
    mean, std: one a channel, in [0, 1]; both None: each picture is standardised by its own mean and deviation, which
        makes the network blind to exposure, down to a deviation of `STANDARD_DEVIATION_FLOOR`.
    """

    size_hw: tuple[int, int]
    channels: int = 3
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __call__(self, crops: np.ndarray, *, device: torch.device | str = "cpu") -> Tensor:
        """(N, S, S, 3) uint8 RGB -> (N, channels, *size_hw) float32 on `device`; N may be 0."""
        import torch

        check_crops(crops)
        return self.of_tensor(torch.from_numpy(np.require(crops, requirements=("C", "W"))).to(device))

    def of_tensor(self, crops: Tensor) -> Tensor:
        """As calling it, of a tensor (N, S, S, 3) uint8, on its device; without synchronisation with the host."""
        import torch.nn.functional as F

        pixels = crops.permute(0, 3, 1, 2).float()  # (N, 3, S, S)
        if self.channels == 1:
            pixels = (pixels * on_device(LUMA_BT601, pixels.device)).sum(dim=1, keepdim=True)  # (N, 1, S, S)
        if not len(pixels):
            return pixels.new_empty((0, self.channels, *self.size_hw))
        if pixels.shape[-2:] != self.size_hw:
            pixels = F.interpolate(pixels, self.size_hw, mode="bilinear", antialias=True, align_corners=False)
        return self.normalise(pixels)

    def array(self, crops: np.ndarray) -> np.ndarray:
        """As calling it, but an array. Numbers differ by rounding: 1e-6, and 1e-5 of resized and standardised crops."""
        check_crops(crops)
        pixels = crops.transpose(0, 3, 1, 2).astype(np.float32)  # (N, 3, S, S)
        if self.channels == 1:
            red, green, blue = (pixels[:, i : i + 1] * np.float32(weight) for i, weight in enumerate(LUMA_BT601))
            pixels = red + green + blue  # (N, 1, S, S)
        if not len(pixels):
            return np.empty((0, self.channels, *self.size_hw), np.float32)
        if pixels.shape[2:] != self.size_hw:
            rows, columns = (resizing(*sides) for sides in zip(pixels.shape[2:], self.size_hw, strict=True))
            pixels = rows @ pixels @ columns.T
        return self.normalise(pixels)

    def normalise(self, pixels: Array) -> Array:
        """(N, C, h, w) float32 in [0, 255] -> the same shape, as `mean` and `std` say; a tensor or array."""
        if self.mean is None or self.std is None:
            pixels = pixels - pixels.mean(axis=(1, 2, 3), keepdims=True)
            variance = (pixels**2).mean(axis=(1, 2, 3), keepdims=True)
            return pixels / (variance**0.5).clip(min=STANDARD_DEVIATION_FLOOR)
        mean, std = np.array([self.mean, self.std], np.float32)[:, None, :, None, None]  # (1, C, 1, 1) each
        if not isinstance(pixels, np.ndarray):
            mean, std = on_device(self.mean, pixels.device), on_device(self.std, pixels.device)
        return (pixels / 255 - mean) / std

    def at_size(self, size: int) -> Preprocess:
        """The same at another square size: training may grow the picture over the run."""
        return dataclasses.replace(self, size_hw=(size, size))

    def to_dict(self) -> dict:
        """Plain JSON values; `from_dict` reads them back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> Preprocess:
        """What `to_dict` described; KeyError or ValueError, with the entry's name, where `values` are no such thing."""
        values = mapping(values, what="preprocess")
        size = values["size_hw"]
        if not isinstance(size, (list, tuple)) or len(size) != 2:
            raise ValueError(f"size_hw must be two numbers of pixels, not {size!r:.40}")
        height, width = (whole(side, what="size_hw", within=(1, LARGEST_SIDE)) for side in size)
        channels = whole(values["channels"], what="channels", within=(1, 3))
        if channels == 2:
            raise ValueError("channels must be 1 or 3, not 2")
        mean, std = values["mean"], values["std"]
        if (mean is None) != (std is None):
            raise ValueError("mean and std must both be given, or neither")
        if mean is not None:
            mean, std = numbers(mean, channels, what="mean"), numbers(std, channels, what="std", above=0)
        return cls((height, width), channels, mean, std)


def check_crops(crops: np.ndarray) -> None:
    """`UserError` where `crops` are no (N, S, S, 3) uint8."""
    if not isinstance(crops, np.ndarray):
        raise UserError(f"crops are an array (N, S, S, 3) uint8 RGB, not a {type(crops).__name__}.")
    if crops.ndim != 4 or crops.shape[3] != 3 or crops.dtype != np.uint8:
        raise UserError(f"crops are (N, S, S, 3) uint8 RGB, not {crops.shape} {crops.dtype}; convert them first.")


@functools.cache  # never freed: a captured graph reads it at its address
def on_device(values: tuple[float, ...], device: torch.device) -> Tensor:
    """One number a channel as (1, C, 1, 1) float32, copied once: a copy from the host makes a device wait."""
    import torch

    with torch.inference_mode(False):
        return torch.tensor(values, dtype=torch.float32, device=device).view(1, -1, 1, 1)
