"""Optimisers, learning rates and sharpness-aware steps against their equations."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from support.training.optimisers import lr_share, make_optimiser, perturbed_weights, weight_groups


def test_norms_and_biases_do_not_decay():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    decaying, free = weight_groups(network, 0.1)
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
    assert [lr_share(done, warmup=0.2, schedule="cosine") for done in (0, 0.1, 0.2)] == [0, 0.5, 1]
    assert lr_share(0.6, warmup=0.2, schedule="cosine") == pytest.approx(0.5)
    assert lr_share(1, warmup=0.2, schedule="cosine") == pytest.approx(0)
    assert lr_share(0.4, warmup=0.2, schedule="cosine") == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert [lr_share(done, warmup=0.2, schedule="constant") for done in (0.1, 0.2, 1)] == [0.5, 1, 1]
    assert lr_share(0, warmup=0, schedule="cosine") == 1
    assert lr_share(1, warmup=1, schedule="cosine") == 1


def test_sam_takes_the_gradient_uphill_and_comes_back_to_the_bit():
    torch.manual_seed(0)
    matrix, start = torch.randn(3, 3).double(), torch.randn(1, 3).double()
    network = nn.Linear(3, 1, bias=False).double()
    network.weight.data = start.clone()

    def gradient():
        network.zero_grad()
        (0.5 * network.weight @ matrix @ matrix.T @ network.weight.T).sum().backward()
        return network.weight.grad.clone()

    g = gradient()
    with perturbed_weights(network, 0.3):
        torch.testing.assert_close(network.weight.detach(), start + 0.3 * g / g.norm())
        uphill = gradient()
    assert torch.equal(network.weight.detach(), start)
    torch.testing.assert_close(uphill, (start + 0.3 * g / g.norm()) @ matrix @ matrix.T)


def test_sam_measures_the_gradients_length_over_all_parameters_and_leaves_statistics():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    network(torch.randn(4, 1, 8, 8)).square().sum().backward()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with perturbed_weights(network, 0.7):
        moved = [now - before[name] for name, now in network.named_parameters()]
        assert torch.cat([m.flatten() for m in moved]).norm().item() == pytest.approx(0.7, rel=1e-4)
        network(torch.randn(4, 1, 8, 8) + 5)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    network(torch.randn(4, 1, 8, 8) + 5)
    assert not torch.equal(network[1].running_mean, before["1.running_mean"])
    network.zero_grad(set_to_none=False)
    with perturbed_weights(network, 0.7):  # a gradient of zero has no direction
        assert all(torch.isfinite(p).all() for p in network.parameters())
