"""How a network may compute on a card: in float32, channels-last, or in fewer bits, or in another memory layout.

In:  a network in float32, on its device.
Out: `Precision`s, copies of the network among them; pictures to try them on; whether results agree with float32's.
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from support.device.card import mixed_format
from support.heatmaps import to_unit_range
from support.metrics import softmax
from support.resize import resizing

# The most that a probability, and the heat of a cell, of a picture's most probable class may differ from float32's.
# bfloat16 on the 3,137 faces of FER+'s test split: 0.019 (median 0.001) and 0.03 (0.004); 3 labels are others.
PROBABILITY, HEAT = 0.02, 0.1
TRIAL = 8  # pictures


@dataclass(frozen=True, eq=False)
class Precision:
    """network: computes so, inside an autocast to `dtype`; None: without one. channels_last: its memory layout."""

    network: nn.Module
    dtype: torch.dtype | None = None
    channels_last: bool = True

    @property
    def memory_format(self) -> torch.memory_format:
        """That of its input."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def __str__(self) -> str:
        return f"{str(self.dtype or torch.float32)[6:]}, channels-{'last' if self.channels_last else 'first'}"


def alternatives(network: nn.Module, device: torch.device, *, amp: bool) -> list[Precision]:
    """All but the network as it is, which is in float32, channels-last. amp: with fewer bits, too."""
    dtypes = (None, mixed_format(device)) if amp else (None,)
    ways = [(dtype, last) for dtype, last in itertools.product(dtypes, (True, False)) if dtype or not last]
    return [Precision(_copy(network, dtype, channels_last=last), dtype, last) for dtype, last in ways]


def _copy(network: nn.Module, dtype: torch.dtype | None, *, channels_last: bool) -> nn.Module:
    """A copy whose large weights have `dtype` already, which else an autocast makes anew at each pass."""
    copied = copy.deepcopy(network)
    for module in copied.modules():
        if dtype and isinstance(module, nn.Conv2d | nn.Linear):
            module.to(dtype)
    return copied.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


def agree(first: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Do logits (N, K) and maps (N, E, K, h, w) show the same as those in float32?"""
    rows, best = np.arange(len(first[0])), first[0].argmax(axis=1)
    probabilities = [softmax(logits) for logits, _ in (first, other)]
    heat = [to_unit_range(maps[rows, :, best].reshape(-1, *maps.shape[3:])) for _, maps in (first, other)]
    pairs = ((probabilities, PROBABILITY), (heat, HEAT))
    return all(bool((np.abs(one - another) <= bound).all()) for (one, another), bound in pairs)  # never so for NaN


def trial_pictures(size: int) -> np.ndarray:
    """(TRIAL, size, size, 3) uint8 RGB: smooth noise, always the same."""
    coarse = np.random.default_rng(0).integers(0, 256, (TRIAL, 3, 8, 8)).astype(np.float32)
    enlarge = resizing(8, size)
    return (enlarge @ coarse @ enlarge.T).round().astype(np.uint8).transpose(0, 2, 3, 1)
