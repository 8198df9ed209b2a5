"""How a network may compute on a card: in float32, channels-last, or in fewer bits, or in another memory layout.

In:  a network in float32, on its device.
Out: `Precision`s, copies of the network among them.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Precision:
    """network: computes so, inside an autocast to `dtype`; None: without one. channels_last: its memory layout.

    part: name of the module of `network` that alone computes in `dtype`, by an autocast of its own; "": all of it.
    """

    network: nn.Module
    dtype: torch.dtype | None = None
    channels_last: bool = True
    part: str = ""

    @property
    def memory_format(self) -> torch.memory_format:
        """That of its input."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def __str__(self) -> str:
        where = f" in the {self.part}" * bool(self.part and self.dtype)
        return f"{str(self.dtype or torch.float32)[6:]}{where}, channels-{'last' if self.channels_last else 'first'}"


class Autocast(nn.Module):
    """A module that gives several tensors, computed in `dtype`; they come out in float32."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module, self.dtype = module, dtype

    def forward(self, x: Tensor) -> list[Tensor]:
        """What the module gives for `x`."""
        with torch.autocast(x.device.type, self.dtype, cache_enabled=False):  # a capture must not read what it keeps
            return [output.float() for output in self.module(x)]


def alternatives(network: nn.Module, dtypes: Sequence[torch.dtype | None], *, part: str = "") -> list[Precision]:
    """All but the network as it is, which is in float32 (None among `dtypes`), channels-last. part: see `Precision`."""
    ways = [(dtype, last) for dtype, last in itertools.product(dtypes, (True, False)) if dtype or not last]
    return [Precision(_copy(network, dtype, part, channels_last=last), dtype, last, part) for dtype, last in ways]


def _copy(network: nn.Module, dtype: torch.dtype | None, part: str, *, channels_last: bool) -> nn.Module:
    """A copy whose large weights have `dtype` already, which else an autocast makes anew at each pass."""
    copied = copy.deepcopy(network)
    if dtype:
        inside = copied.get_submodule(part)
        for module in inside.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.to(dtype)
        if part:
            copied.set_submodule(part, Autocast(inside, dtype))
    return copied.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
