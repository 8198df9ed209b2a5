"""The default live network."""

from __future__ import annotations

import pytest
import torch

from models.networks.small_resnet import SmallResNet


@pytest.mark.parametrize(("width", "parameters"), [(32, 1_948_584), (48, 4_379_768)])
def test_size_and_grid(width, parameters):
    network = SmallResNet(8, width=width).eval()
    assert sum(p.numel() for p in network.parameters()) == parameters
    seen = {}
    network.stages[3].register_forward_hook(lambda module, inputs, output: seen.update(shape=output.shape))
    assert network(torch.zeros(2, 1, 48, 48)).shape == (2, 8)
    assert seen["shape"] == (2, 6 * width, 6, 6)


def test_smaller_pictures_pass_too_and_everything_learns():
    network = SmallResNet(3, width=32)
    network(torch.randn(4, 1, 36, 36)).square().sum().backward()
    # a block starts as its shortcut, so only what feeds its zeroed scale waits for the first step
    waiting = {name for name, p in network.named_parameters() if p.grad.abs().sum() == 0}
    assert all(".conv" in name or ".bn1" in name for name in waiting)
