"""Batches for training whose pictures are augmented on the device that trains: --augment-on device.

In:  a `FaceSet`, an `Augment`, a device.
Out: an iterator over (crops (B, S, S, 3) uint8 RGB, votes (B, K) float32), tensors on the device.

The order and every change are those of `EpochLoader`, drawn from the same keys; pictures differ by interpolation's
rounding. Pictures rest on the device as bytes where there is room. Else, and where they are decoded as they are used,
threads make the bytes of the next batches, which are sent in pinned memory while the one before is trained on.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from data.augment import Keys
from data.device.drawing import Changes, Drawers
from data.device.render import render
from data.loader import Batch, EpochLoader
from data.pictures.store import Pictures
from support.memory import free_memory_on

SENT_AT_ONCE = 1024  # pictures that are joined to be sent to the device


class Pixels(NamedTuple):
    """N pictures as bytes: pixels (P, 3) uint8 RGB, one picture after another; begins (N,), sizes_hw (N, 2) int64."""

    pixels: Tensor
    begins: Tensor
    sizes_hw: Tensor

    def of(self, rows: Tensor) -> Pixels:
        """Those at `rows`; the bytes stay where they are."""
        return Pixels(self.pixels, self.begins[rows], self.sizes_hw[rows])


Made = tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray] | None, Changes]  # rows, arrays for `Pixels`


@dataclass(frozen=True)
class DeviceLoader(EpochLoader):
    """As `EpochLoader`. memory: share of the device's free memory that pictures may take there."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    memory: float = 0.5

    @classmethod
    def of(cls, loader: EpochLoader, device: torch.device, *, memory: float) -> DeviceLoader:
        """The same batches, made on `device`."""
        values = {each.name: getattr(loader, each.name) for each in dataclasses.fields(loader)}
        return cls(**values, device=device, memory=memory)

    @property
    def place(self) -> str:
        """As that of `EpochLoader`."""
        return f"pictures are augmented on {self.device}, {'where they rest' if self.fits else 'sent batch by batch'}"

    @functools.cached_property
    def fits(self) -> bool:
        """May all pictures rest on the device?"""
        images = self.faces.images
        if isinstance(images, Pictures):
            if images.decoded is None:
                return False
            images = images.decoded
        return sum(image.nbytes for image in images) <= self.memory * free_memory_on(self.device)

    @functools.cached_property
    def resident(self) -> Pixels:
        """All pictures, on the device."""
        images = self.faces.images
        parts = [joined(images[i] for i in range(start, min(start + SENT_AT_ONCE, len(images))))
                 for start in range(0, len(images), SENT_AT_ONCE)]  # fmt: skip
        pixels = torch.empty((sum(len(part) for part, _ in parts), 3), dtype=torch.uint8, device=self.device)
        at = 0
        for part, _ in parts:
            pixels[at : at + len(part)] = torch.from_numpy(part)
            at += len(part)
        sizes_hw = np.concatenate([sizes for _, sizes in parts])
        return Pixels(pixels, *(self.upload(array) for array in (begins_of(sizes_hw), sizes_hw)))

    @functools.cached_property
    def drawers(self) -> Drawers:
        """The processes that draw the changes."""
        return Drawers(self.augment, self.threads)

    def epoch(self, epoch: int, *, size: int, first: int = 0) -> Generator[Batch, None, None]:
        """As that of `EpochLoader`."""
        drawers, fits = self.drawers, self.fits

        def make(keys: Keys) -> Made:
            return keys.rows, None if fits else self.read(keys.rows), drawers.draw(keys, size=size)

        for rows, pixels, changes in self.prefetched(make, self.keys(epoch, first)):
            sent = map(self.upload, pixels or [rows.astype(np.int64)])
            batch = Pixels(*sent) if pixels else self.resident.of(*sent)
            yield render(*batch, changes, size=size, upload=self.upload), self.upload(self.faces.votes[rows])

    def read(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`Pixels` of the faces `rows`, as arrays."""
        pixels, sizes_hw = joined(self.faces.images[row] for row in rows.tolist())
        return pixels, begins_of(sizes_hw), sizes_hw

    def upload(self, array: np.ndarray) -> Tensor:
        """As `upload`, to the device of this loader."""
        return upload(array, self.device)


def joined(images: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The pixels (P, 3) uint8 of pictures, one after another, and their sizes_hw (N, 2) int64."""
    held = list(images)
    return np.concatenate([image.reshape(-1, 3) for image in held]), np.array([image.shape[:2] for image in held])


def begins_of(sizes_hw: np.ndarray) -> np.ndarray:
    """(N,) int64: how many pixels come before each of N pictures."""
    return np.cumsum(np.append(0, sizes_hw.prod(axis=1)))[:-1]


def upload(array: np.ndarray | Tensor, device: torch.device) -> Tensor:
    """A tensor on `device`; to cuda from pinned memory, so that nobody waits until it has arrived."""
    tensor = torch.as_tensor(array)
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
