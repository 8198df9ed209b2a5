"""Which networks have a head that tells the gradient, by trying and not by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.pooled_head import example_of, pooled_head
from models.spec import find_spec


class Ending(nn.Module):
    """An activation of 5 channels, and something above it."""

    def __init__(self, above: nn.Module) -> None:
        super().__init__()
        self.features, self.above = nn.Conv2d(1, 5, 3), above

    def forward(self, x):
        return self.above(self.features(x))


def pooled(*then: nn.Module) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *then)


HEADS = {
    "linear": (pooled(nn.Linear(5, 3)), "above.2.weight"),
    "dropout, which rests": (pooled(nn.Dropout(0.5), nn.Linear(5, 3)), "above.3.weight"),
    "two layers that are one": (pooled(nn.Linear(5, 4), nn.Linear(4, 3)), None),  # no one weight is the gradient
    "a hidden layer": (pooled(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)), None),
    "a ReLU first": (nn.Sequential(nn.ReLU(inplace=True), pooled(nn.Linear(5, 3))), None),
    "largest instead of mean": (nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(5, 3)), None),
    "cells told apart": (nn.Sequential(nn.Flatten(), nn.Linear(45, 3)), None),
    "a norm between": (pooled(nn.BatchNorm1d(5), nn.Linear(5, 3)), None),  # linear, but the weight is scaled
}


@pytest.mark.parametrize(("above", "name"), HEADS.values(), ids=HEADS)
def test_heads_of_all_kinds(above, name):
    torch.manual_seed(0)
    assert pooled_head(Ending(above).eval(), "features", torch.randn(2, 1, 5, 5)) == name


def test_a_layer_that_is_no_grid_has_none():
    network = Ending(pooled(nn.Linear(5, 4), nn.Linear(4, 3))).eval()
    assert pooled_head(network, "above.2", torch.randn(2, 1, 5, 5)) is None


@pytest.mark.parametrize(
    ("name", "head"), [("small_resnet18_w32", "fc.weight"), ("face_emotion_cnn", None), ("deep_emotion", None)]
)
def test_networks(name, head):
    spec = find_spec(name)
    assert pooled_head(spec.build(3).eval(), spec.explain_layer, example_of(spec.preprocess)) == head
