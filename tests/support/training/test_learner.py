"""The update of the weights against torch's own parts put together by hand; average, state, optimisers, formats."""

from __future__ import annotations

import contextlib
import math

import pytest
import torch
from torch import nn

from support.device.card import mixed_format
from support.training import learner as learner_module
from support.training.distributed import Distributed
from support.training.learner import BaseLearner, MovingAverage, lr_factor, make_optimiser

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


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_the_average_is_the_exponential_average_with_a_warm_start(decay):
    network = nn.Linear(1, 1, bias=False)
    average, expected = MovingAverage(network, decay), None
    for step in range(40):
        with torch.no_grad():
            network.weight.fill_(step**0.5)
        average.update_parameters(network)
        share = min(decay, (1 + step) / (10 + step))
        expected = step**0.5 if expected is None else share * expected + (1 - share) * step**0.5
        assert average.module.weight.item() == pytest.approx(expected, rel=1e-5)


def test_buffers_are_averaged_and_counters_copied():
    network = nn.BatchNorm1d(2)
    average = MovingAverage(network, 0.5)
    for _ in range(3):
        network(torch.randn(8, 2) + 4)
        average.update_parameters(network)
    assert average.module.num_batches_tracked == 3
    assert 0 < average.module.running_mean[0] < network.running_mean[0] + 1


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


@pytest.mark.parametrize(
    ("kind", "native", "expected"),
    [
        ("cpu", True, None),
        ("cuda:1", True, torch.bfloat16),
        ("cuda:1", False, torch.float16),
        ("mps", False, torch.float16),
    ],
)
def test_each_device_gets_its_format_and_only_float16_is_scaled(monkeypatch, kind, native, expected):
    asked = []
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext(asked.append(device)))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert mixed_format(torch.device(kind)) == expected
    assert asked == [torch.device(kind)] * (kind == "cuda:1")  # of two cards, the one that is used
    monkeypatch.setattr(learner_module, "mixed_format", lambda device: expected)
    for mixed in (True, False):
        made = BaseLearner(small_network(), ALONE, mixed=mixed)
        assert made.dtype == (expected if mixed else None)
        assert made.scaler.is_enabled() == (mixed and expected == torch.float16)


def test_an_update_takes_the_new_weights_into_the_average():
    found = learner(ema=0.0)
    for seed in range(2):
        backward(found.network, seed)
        found.update(lr=0.05)
    for average, weight in zip(found.ema.module.parameters(), found.network.parameters(), strict=True):
        torch.testing.assert_close(average, weight)
