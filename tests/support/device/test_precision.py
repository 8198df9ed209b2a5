"""Copies of a network in other formats and layouts: which weights, and what is computed, in which format."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from support.device.precision import Precision, alternatives


def test_formats_and_layouts_are_tried_and_the_network_stays_as_it_is():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(2, 2))
    network.to(memory_format=torch.channels_last)
    found = alternatives(network, (None, torch.bfloat16))
    assert list(map(str, found)) == ["float32, channels-first", "bfloat16, channels-last", "bfloat16, channels-first"]
    assert list(map(str, alternatives(network, (None,)))) == ["float32, channels-first"]
    assert str(Precision(network)) == "float32, channels-last"
    for one in found:
        layers: list[Any] = list(one.network.children())
        conv, norm, linear = layers
        assert conv.weight.dtype == linear.weight.dtype == (one.dtype or torch.float32)
        assert norm.weight.dtype == norm.running_var.dtype == torch.float32
        assert conv.weight.is_contiguous(memory_format=one.memory_format)
    assert network[0].weight.dtype == torch.float32
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)


class Two(nn.Module):
    """A backbone that gives two tensors, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Halves()
        self.head = nn.Conv2d(2, 1, 1)
        self.seen: list[torch.dtype] = []

    def forward(self, x):
        halves = self.backbone(x)
        self.seen = [one.dtype for one in halves]
        return self.head(torch.cat(halves, dim=1))


class Halves(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        self.dtype = torch.float32

    def forward(self, x):
        made = self.conv(x)
        self.dtype = made.dtype
        return made.split(1, dim=1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_part_alone_computes_in_fewer_bits_and_gives_float32(dtype):
    torch.manual_seed(0)
    network = Two().requires_grad_(False)
    (_, last, first) = alternatives(network, (None, dtype), part="backbone")
    assert str(first) == f"{str(dtype)[6:]} in the backbone, channels-first"
    x = torch.randn(2, 3, 4, 5)
    exact = network(x)
    for one in (last, first):
        copied: Any = one.network
        found = copied(x.contiguous(memory_format=one.memory_format))
        halves: Any = copied.backbone.module
        assert halves.dtype == halves.conv.weight.dtype == dtype
        assert copied.seen == [torch.float32] * 2
        assert copied.head.weight.dtype == found.dtype == torch.float32
        assert 0 < (found - exact).abs().max() < 0.05
    assert network.backbone.conv.weight.dtype == torch.float32
