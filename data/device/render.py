"""The changes of data/augment.py, applied by torch to a batch: on a GPU, where the pictures rest or are sent as bytes.

In:  pictures of any sizes as one tensor of bytes; their `Changes`.
Out: the changed pictures (B, size, size, 3) uint8 RGB, those of `data.augment.changed` within interpolation's rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from data.augment import noise_levels
from data.device.drawing import Changes


def render(
    pixels: Tensor,
    begins: Tensor,
    sizes_hw: Tensor,
    changes: Changes,
    *,
    size: int,
    upload: Callable[[np.ndarray], Tensor],
) -> Tensor:
    """(B, size, size, 3) uint8 RGB, on the device of `pixels`.

    pixels: (P, 3) uint8 RGB, all pictures row by row, one after another. begins, sizes_hw: (B,) and (B, 2) int64, where
    in `pixels` each of the B pictures begins, its height and width. upload: makes a tensor there of an array.
    """
    numbers, integers = upload(changes.numbers), upload(changes.integers)
    columns = numbers[:, :, None, None].unbind(1)  # (B, 1, 1) each
    gamma, light_x, light_y, noise = columns[6], columns[8], columns[9], columns[10]
    image = warp(pixels, begins, sizes_hw, columns, size=size)
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size, device=pixels.device)] * 2, indexing="ij")
    image = whole(image * (1 + light_x * x + light_y * y)[..., None])
    image = whole(255 * (image / 255) ** gamma[..., None])
    if len(changes.coarse):
        rows = upload(changes.coarse)
        image = image.index_copy(0, rows, low_resolution(image[rows], upload(changes.small)))
    if changes.numbers[:, 10].any():
        places = torch.arange(size * size, device=pixels.device).view(size, size) + (integers[:, 7, None, None] << 32)
        image = whole(image + (noise * noise_levels(places))[..., None])
    return erase(image, integers, upload(changes.levels)).to(torch.uint8)


def whole(image: Tensor) -> Tensor:
    """Rounded to grey levels."""
    return image.round().clamp(0, 255)


def warp(pixels: Tensor, begins: Tensor, sizes_hw: Tensor, columns: Sequence[Tensor], *, size: int) -> Tensor:
    """(B, size, size, 3) float32, whole grey levels: the pictures through the inverses of their `warp_matrix`."""
    angle, scale, stretch, mirror, shift_x, shift_y = columns[:6]
    height, width = sizes_hw[:, :, None, None].unbind(1)  # (B, 1, 1)
    places = torch.arange(size, device=pixels.device, dtype=torch.float32) - (size - 1) / 2
    right, down = places[None, None] - shift_x, places[None, :, None] - shift_y
    cos, sin = angle.cos(), angle.sin()
    x = (cos * right + sin * down) * (width / (mirror * scale * stretch * size)) + (width - 1) / 2  # (B, size, size)
    y = (cos * down - sin * right) * (height * stretch / (scale * size)) + (height - 1) / 2
    left, top = x.floor(), y.floor()
    to_right, to_bottom = (x - left)[..., None], (y - top)[..., None]

    def row(above: int) -> Tensor:
        """Between the two pixels beside each place, in the row above it (0) or below it (1)."""
        start = begins[:, None, None] + reflected(top.long() + above, height) * width
        one, other = (pixels[start + reflected(left.long() + beside, width)].float() for beside in (0, 1))
        return one + to_right * (other - one)

    above, below = row(0), row(1)
    return whole(above + to_bottom * (below - above))


def reflected(index: Tensor, count: Tensor) -> Tensor:
    """Any index, reflected about the first and the last of `count` pixels until it is one of them."""
    period = (2 * (count - 1)).clamp(min=1)
    index = index.remainder(period)
    return torch.minimum(index, period - index)


def low_resolution(image: Tensor, small: Tensor) -> Tensor:
    """(M, S, S, 3) float32, reduced to `small` (M, 1, 1) pixels a side by areas, enlarged again linearly."""
    side = image.shape[1]
    rows = torch.arange(side, device=image.device, dtype=torch.float32)[:, None]
    columns, step = rows.T, side / small
    overlap = torch.minimum(columns + 1, (rows + 1) * step) - torch.maximum(columns, rows * step)
    reduce = overlap.clamp(min=0) / step  # (M, S, S); rows past `small` are not used
    centre = ((rows + 0.5) / step - 0.5).clamp(min=0).minimum(small - 1)
    enlarge = (1 - (centre - columns).abs()).clamp(min=0)
    for matrix in (reduce, enlarge):
        image = torch.einsum("nij,njlc->nilc", matrix, image)  # one axis at a time: both at once would take side^4
        image = whole(torch.einsum("nkl,nilc->nikc", matrix, image))
    return image


def erase(image: Tensor, integers: Tensor, levels: Tensor) -> Tensor:
    """(B, S, S, 3) float32 with the rectangle of each picture filled with its levels."""
    side = torch.arange(image.shape[1], device=image.device)
    top, left, height, width, begin, down, right = integers[:, :7, None, None].unbind(1)  # (B, 1, 1)
    y, x = side[None, :, None] - top, side[None, None] - left
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    fill = levels[torch.where(inside, begin + y * down + x * right, 0)].float()  # (B, S, S)
    return torch.where(inside[..., None], fill[..., None], image)
