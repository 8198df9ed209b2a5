"""The running mean of weights, step by step against a loop of plain numbers."""

import pytest
import torch
from torch import nn

from support.training.ema import running_mean


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_it_is_the_exponential_mean_with_a_warm_start(decay):
    network = nn.Linear(1, 1, bias=False)
    mean, expected = running_mean(network, decay), None
    for step in range(40):
        with torch.no_grad():
            network.weight.fill_(step**0.5)
        mean.update_parameters(network)
        share = min(decay, (1 + step) / (10 + step))
        expected = step**0.5 if expected is None else share * expected + (1 - share) * step**0.5
        assert mean.module.weight.item() == pytest.approx(expected, rel=1e-5)


def test_buffers_are_averaged_and_counters_copied():
    network = nn.BatchNorm1d(2)
    mean = running_mean(network, 0.5)
    for _ in range(3):
        network(torch.randn(8, 2) + 4)
        mean.update_parameters(network)
    assert mean.module.num_batches_tracked == 3
    assert 0 < mean.module.running_mean[0] < network.running_mean[0] + 1
