"""The update of the weights against torch's own parts put together by hand; average, state and resuming."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from support.training.distributed import Distributed
from support.training.learner import BaseLearner

ALONE = Distributed(torch.device("cpu"))


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))


def learner(*, optimiser: str = "sgd", ema: float = 0.9) -> BaseLearner:
    return BaseLearner(small_network(), ALONE, optimiser=optimiser, weight_decay=0.1, ema=ema, clip_norm=1.0)


def backward(network: nn.Module, seed: int) -> None:
    torch.manual_seed(seed)
    network.zero_grad()
    network.train()(torch.randn(8, 4)).square().sum().backward()


def test_an_update_is_a_clipped_step_of_the_optimiser():
    found, network = learner(), small_network()
    matrices, others = ([p for p in network.parameters() if (p.ndim > 1) == wide] for wide in (True, False))
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.SGD(groups, lr=0.05, momentum=0.9, nesterov=True)
    for seed in range(3):
        backward(found.network, seed)
        found.update(lr=0.05)
        backward(network, seed)
        assert nn.utils.clip_grad_norm_(network.parameters(), 1.0) > 1
        optimiser.step()
    for a, b in zip(found.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_average_is_a_copy_in_eval_mode():
    found = learner(ema=0.5)
    for seed in range(3):
        backward(found.network, seed)
        found.update(lr=0.05)
    average = found.averaged()
    assert not average.training
    assert not torch.equal(average[0].weight, found.network[0].weight)
    average.requires_grad_(False)
    with torch.no_grad():
        average[0].weight.zero_()
    assert found.averaged()[0].weight.any()


def test_without_a_decay_the_average_is_the_network():
    found = learner(ema=0.0)
    for seed in range(3):
        backward(found.network, seed)
        found.update(lr=0.05)
    wanted = found.network.state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in found.averaged().state_dict().items())


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
def test_a_loaded_state_continues_exactly(optimiser, tmp_path):
    whole, resumed = learner(optimiser=optimiser), learner(optimiser=optimiser)
    for step in range(6):
        backward(whole.network, step)
        whole.update(lr=0.01)
        if step == 2:
            torch.save(whole.state(), tmp_path / "state.pt")
    resumed.load_state(torch.load(tmp_path / "state.pt", weights_only=True))
    for step in range(3, 6):
        backward(resumed.network, step)
        resumed.update(lr=0.01)
    for part in ("network", "ema"):
        a, b = getattr(whole, part).state_dict(), getattr(resumed, part).state_dict()
        assert all(torch.equal(a[key], b[key]) for key in a)
