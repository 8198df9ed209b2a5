"""A step against torch's own parts put together by hand; mixed precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from models.training import learner
from models.training.learner import Learner
from models.training.precision import Precision
from support import UserError
from support.training.distributed import Distributed

ALONE = Distributed(torch.device("cpu"))


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 3)
    )


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(6, 1, 8, 8), torch.randn(6, 3).softmax(dim=1)


def test_a_step_is_that_of_torch(batch):
    x, target = batch
    found = Learner(small_network(), ALONE, weight_decay=0.0, ema=0.0, clip_norm=0.05)
    loss = found.step(x, target, lr=0.1, key=(1, 2, 3))
    network = small_network().train()
    torch.manual_seed(int(np.random.SeedSequence((1, 2, 3, 0)).generate_state(1)[0]))
    expected = (target * (target.log() - network(x).log_softmax(dim=1))).sum(dim=1).mean()
    expected.backward()
    assert nn.utils.clip_grad_norm_(network.parameters(), 0.05) > 0.05
    torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True).step()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    for a, b in zip(found.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("options", [{}, {"sam": 0.1}, {"optimiser": "adamw"}, {"ema": 0.0}, {"clip_norm": 0.0}])
def test_it_overfits_a_batch(batch, options):
    found = Learner(small_network(), ALONE, **options)
    losses = [found.step(*batch, lr=0.02, key=(0, 0, step)) for step in range(40)]
    assert losses[-1] < 0.5 * losses[0]
    assert not found.averaged().training


@pytest.mark.parametrize("option", [{"sam": 0.1}, {"smoothing": 0.2}, {"clip_norm": 0.01}, {"weight_decay": 0.1}])
def test_each_option_changes_the_step(batch, option):
    plain, other = (Learner(small_network(), ALONE, **options) for options in ({}, option))
    for one in (plain, other):
        one.step(*batch, lr=0.1, key=(0, 0, 0))
    assert not torch.equal(plain.network[0].weight, other.network[0].weight)


def test_a_sharpness_aware_step_uses_the_gradient_at_the_perturbed_weights(batch):
    x, target = batch
    found = Learner(small_network().requires_grad_(True), ALONE, sam=0.5, weight_decay=0.0, momentum=0.0, clip_norm=0.0)
    found.step(x, target, lr=0.1, key=(0,))
    by_hand = Learner(small_network(), ALONE)
    seed = int(np.random.SeedSequence((0, 0)).generate_state(1)[0])
    by_hand.parallel.train()
    by_hand._backward(x, target, seed)
    start = [p.detach().clone() for p in by_hand.network.parameters()]
    gradients = [p.grad.clone() for p in by_hand.network.parameters()]
    length = torch.cat([g.flatten() for g in gradients]).norm()
    with torch.no_grad():
        for p, g in zip(by_hand.network.parameters(), gradients, strict=True):
            p += 0.5 * g / length
    by_hand._backward(x, target, seed)
    for before, p, after in zip(start, by_hand.network.parameters(), found.network.parameters(), strict=True):
        torch.testing.assert_close(after, before - 0.1 * p.grad)


def test_float16_with_a_scaler_steps_as_float32_does(batch, monkeypatch):
    exact = Learner(small_network(), ALONE)
    monkeypatch.setattr(learner, "precision_on", lambda device, mixed: Precision("cpu", torch.float16))
    half = Learner(small_network(), ALONE)
    assert half.scaler.is_enabled()
    for step in range(3):
        losses = [one.step(*batch, lr=0.05, key=(step,)) for one in (exact, half)]
        assert losses[1] == pytest.approx(losses[0], rel=0.01)
    torch.testing.assert_close(half.network[0].weight, exact.network[0].weight, atol=2e-3, rtol=0.01)
    other = Learner(small_network(), ALONE)
    other.load_state(half.state())
    assert other.scaler.state_dict() == half.scaler.state_dict()
    other.load_state(exact.state())  # a state without float16


def test_a_gradient_that_overflows_in_float16_is_skipped(batch, monkeypatch):
    monkeypatch.setattr(learner, "precision_on", lambda device, mixed: Precision("cpu", torch.float16))
    half = Learner(small_network(), ALONE, sam=0.1)
    half.network[5].weight.register_hook(lambda gradient: gradient * float("inf"))
    before = half.network[0].weight.clone()
    half.step(*batch, lr=0.1, key=(0,))
    assert torch.equal(half.network[0].weight, before)
    assert half.scaler.get_scale() == 2.0**15


def test_a_loss_that_is_not_finite_ends_the_run_with_a_sentence(batch):
    found = Learner(small_network(), ALONE)
    nn.init.constant_(found.network[5].bias, float("nan"))
    with pytest.raises(UserError, match="the loss is nan; start a new run with a lower --lr") as error:
        found.step(*batch, lr=0.1, key=(0,))
    assert error.value.exit_code == 1
