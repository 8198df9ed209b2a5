"""The moving average of weights, step by step against a loop of plain numbers."""

import pytest
import torch
from torch import nn

from support.training.ema import moving_average


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_it_is_the_exponential_average_with_a_warm_start(decay):
    network = nn.Linear(1, 1, bias=False)
    average, expected = moving_average(network, decay), None
    for step in range(40):
        with torch.no_grad():
            network.weight.fill_(step**0.5)
        average.update_parameters(network)
        share = min(decay, (1 + step) / (10 + step))
        expected = step**0.5 if expected is None else share * expected + (1 - share) * step**0.5
        assert average.module.weight.item() == pytest.approx(expected, rel=1e-5)


def test_buffers_are_averaged_and_counters_copied():
    network = nn.BatchNorm1d(2)
    average = moving_average(network, 0.5)
    for _ in range(3):
        network(torch.randn(8, 2) + 4)
        average.update_parameters(network)
    assert average.module.num_batches_tracked == 3
    assert 0 < average.module.running_mean[0] < network.running_mean[0] + 1
