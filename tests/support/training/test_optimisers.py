"""Optimisers and learning rates against their equations."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from support.training.optimisers import lr_factor, make_optimiser, parameter_groups


def test_norms_and_biases_do_not_decay():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    decaying, free = parameter_groups(network, 0.1)
    assert [tuple(p.shape) for p in decaying["params"]] == [(2, 1, 3, 3)]
    assert len(free["params"]) == 3
    assert free["weight_decay"] == 0


@pytest.mark.parametrize(
    ("name", "momentum", "expected"),
    [  # two steps at lr 0.1 from w = 1 with gradient 2 and weight decay 0.5
        ("sgd", 0.0, [1 - 0.1 * 2.5, 0.75 - 0.1 * (2 + 0.5 * 0.75)]),
        ("sgd", 0.9, [1 - 0.1 * 1.9 * 2.5, 0.525 - 0.1 * (2.2625 + 0.9 * (0.9 * 2.5 + 2.2625))]),
        ("adam", 0.9, [0.9, 0.8]),  # the first steps are lr times the gradient's sign, decay and all
        ("adamw", 0.9, [0.95 - 0.1, 0.85 * 0.95 - 0.1]),
    ],
)
def test_each_optimiser_steps_by_its_equation(name, momentum, expected):
    network = nn.Linear(1, 1, bias=False)
    nn.init.ones_(network.weight)
    optimiser = make_optimiser(name, network, weight_decay=0.5, momentum=momentum)
    for value in expected:
        network.weight.grad = torch.full_like(network.weight, 2.0)
        for group in optimiser.param_groups:
            group["lr"] = 0.1
        optimiser.step()
        assert network.weight.item() == pytest.approx(value, abs=1e-3 if name == "adam" else 1e-6)


def test_the_learning_rate_rises_then_falls_or_stays():
    assert [lr_factor(done, warmup=0.2, schedule="cosine") for done in (0, 0.1, 0.2)] == [0, 0.5, 1]
    assert lr_factor(0.6, warmup=0.2, schedule="cosine") == pytest.approx(0.5)
    assert lr_factor(1, warmup=0.2, schedule="cosine") == pytest.approx(0)
    assert lr_factor(0.4, warmup=0.2, schedule="cosine") == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert [lr_factor(done, warmup=0.2, schedule="constant") for done in (0.1, 0.2, 1)] == [0.5, 1, 1]
    assert lr_factor(0, warmup=0, schedule="cosine") == 1
    assert lr_factor(1, warmup=1, schedule="cosine") == 1
