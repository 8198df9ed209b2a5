"""Sharpness-aware minimisation: the perturbed weights against the paper's equation."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.training.sam import perturbed_weights


def test_the_gradient_is_taken_at_the_perturbed_weights_and_the_weights_come_back():
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
        perturbed = gradient()
    assert torch.equal(network.weight.detach(), start)
    torch.testing.assert_close(perturbed, (start + 0.3 * g / g.norm()) @ matrix @ matrix.T)


def test_the_perturbation_has_the_radius_over_all_parameters_and_leaves_statistics():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    network(torch.randn(4, 1, 8, 8)).square().sum().backward()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with perturbed_weights(network, 0.7):
        moved = [now - before[name] for name, now in network.named_parameters()]
        assert torch.cat([m.flatten() for m in moved]).norm().item() == pytest.approx(0.7, rel=1e-4)
        network(torch.randn(4, 1, 8, 8) + 5)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    network(torch.randn(4, 1, 8, 8) + 5)
    assert not torch.equal(network.state_dict()["1.running_mean"], before["1.running_mean"])
    network.zero_grad(set_to_none=False)
    with perturbed_weights(network, 0.7):  # a gradient of zero has no direction
        assert all(torch.isfinite(p).all() for p in network.parameters())
