"""Lifting layers out of a pass; sentences and modes are tested in tests/test_gradcam.py."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from support import UserError
from support.hooks import forward_with_leaves, grid_of, layer_name, shape_of


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 2, 3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(2, 2, 3, 2, 1), nn.Flatten(), nn.Linear(8, 3)
    return nn.Sequential(*layers).requires_grad_(False)


def test_gradients_reach_the_layer_and_stop_there(network):
    x = torch.randn(2, 1, 8, 8, requires_grad=True)
    scores, leaves, kept = forward_with_leaves(network, ["0", "2"], x, keep="1")
    torch.testing.assert_close(scores, network(x))
    torch.testing.assert_close(leaves["0"], network[0](x))
    torch.testing.assert_close(kept, network[:2](x))
    scores.sum().backward()
    assert x.grad is None
    weight = network[4].weight.sum(dim=0).view(1, 2, 2, 2).expand(2, -1, -1, -1)
    by_hand = torch.nn.grad.conv2d_input((2, 2, 4, 4), network[2].weight, weight, 2, 1) * (leaves["0"] > 0)  # type: ignore[attr-defined]  # torch's own types leave it out
    torch.testing.assert_close(leaves["0"].grad, by_hand)


def test_layers_have_one_name(network):
    assert layer_name(network, network[2]) == layer_name(network, "2") == "2"


@pytest.mark.parametrize(("shape", "size_hw"), [((1, 3, 7, 7), (224, 224)), ((1, 3, 6, 8), (100, 128)),
                                                ((1, 3, 2, 4), (33, 65)), ((1, 3, 1, 1), (2, 1))])  # fmt: skip
def test_grids_are_as_wide_for_their_height_as_the_input(shape, size_hw):
    assert grid_of({"a": torch.zeros(shape)}, "a", size_hw=size_hw).shape == shape
    if shape[1:] != (3, 1, 1):
        with pytest.raises(UserError, match="channels seem to come last"):
            grid_of({"a": torch.zeros(1, *shape[2:], 96)}, "a", size_hw=size_hw)


def test_things_are_told_by_shape_or_type():
    assert shape_of(torch.zeros(2, 3)) == "(2, 3)"
    assert shape_of([1]) == "a list"
