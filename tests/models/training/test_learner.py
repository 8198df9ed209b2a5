"""A step against torch's own parts put together by hand; its loss; sharpness-aware steps; mixed precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from models.training.computing import Computing, compile_or_refuse, pass_s
from models.training.learner import Learner, Losses, kl_loss, make_learner, perturbed_weights, weights_of_classes
from models.training.settings import Settings
from models.training.transfer import freeze_layers
from support import UserError
from support.metrics import kl_divergence
from support.training import learner
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
    loss = found.step(x, target, lr=0.1, key=(1, 2, 3)).item()
    network = small_network().train()
    torch.manual_seed(int(np.random.SeedSequence((1, 2, 3, 0)).generate_state(1)[0]))
    expected = (target * (target.log() - network(x).log_softmax(dim=1))).sum(dim=1).mean()
    expected.backward()
    assert nn.utils.clip_grad_norm_(network.parameters(), 0.05) > 0.05
    torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True).step()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    for a, b in zip(found.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("sam", [0.0, 0.1])
@pytest.mark.parametrize("options", [{}, {"optimiser": "adamw"}, {"ema": 0.0}, {"clip_norm": 0.0}])
def test_it_overfits_a_batch(batch, options, sam):
    found = Learner(small_network(), ALONE, **options)
    losses = [found.step(*batch, lr=0.02, key=(0, 0, step), sam=sam).item() for step in range(40)]
    assert losses[-1] < 0.5 * losses[0]
    assert not found.averaged().training


def test_a_sharpness_aware_step_uses_the_gradient_at_the_perturbed_weights(batch):
    found, by_hand = (Learner(small_network(), ALONE, weight_decay=0.0, momentum=0.0, clip_norm=0.0) for _ in range(2))
    (x, target), seed = batch, int(np.random.SeedSequence((0, 0)).generate_state(1)[0])
    found.step(x, target, lr=0.1, key=(0,), sam=0.5)
    by_hand.parallel.train()
    by_hand._backward(x, target, seed, 0.0)
    with perturbed_weights(by_hand.network, 0.5):
        by_hand._backward(x, target, seed, 0.0)
    for before, after in zip(by_hand.network.parameters(), found.network.parameters(), strict=True):
        torch.testing.assert_close(after, before - 0.1 * before.grad)


def test_the_perturbation_is_the_gradient_scaled_to_the_radius_and_leaves_statistics():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    network(torch.randn(4, 1, 8, 8)).square().sum().backward()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with perturbed_weights(network, 0.7):
        length = torch.cat([p.grad.flatten() for p in network.parameters()]).norm()
        for name, now in network.named_parameters():
            torch.testing.assert_close(now - before[name], 0.7 * now.grad / length, rtol=1e-3, atol=1e-6)
        network(torch.randn(4, 1, 8, 8) + 5)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    network(torch.randn(4, 1, 8, 8) + 5)
    assert not torch.equal(network.state_dict()["1.running_mean"], before["1.running_mean"])
    network.zero_grad(set_to_none=False)
    with perturbed_weights(network, 0.7):  # a gradient of zero has no direction
        assert all(torch.isfinite(p).all() for p in network.parameters())


def test_the_loss_is_the_divergence_and_for_one_label_cross_entropy(rng):
    logits = torch.from_numpy(rng.normal(size=(6, 5)).astype(np.float32))
    votes = rng.dirichlet(np.ones(5), 6).astype(np.float32)
    expected = kl_divergence(votes, logits.softmax(dim=1).numpy())
    assert kl_loss(logits, torch.from_numpy(votes)).item() == pytest.approx(expected, rel=1e-4)
    labels, one_hot = torch.arange(5), torch.eye(5)
    cross_entropy = nn.functional.cross_entropy(logits[:5], labels)
    torch.testing.assert_close(kl_loss(logits[:5], one_hot), cross_entropy)
    smooth = nn.functional.cross_entropy(logits[:5], labels, label_smoothing=0.1)
    entropy = -(0.92 * np.log(0.92) + 4 * 0.02 * np.log(0.02))  # KL is cross-entropy less the target's own entropy
    assert kl_loss(logits[:5], one_hot, smoothing=0.1).item() == pytest.approx(smooth.item() - entropy, rel=1e-4)


def test_float16_with_a_scaler_steps_as_float32_does(batch, monkeypatch):
    exact = Learner(small_network(), ALONE)
    monkeypatch.setattr(learner, "mixed_format", lambda device: torch.float16)
    half = Learner(small_network(), ALONE)
    assert half.scaler.is_enabled()
    for step in range(3):
        losses = [one.step(*batch, lr=0.05, key=(step,)).item() for one in (exact, half)]
        assert losses[1] == pytest.approx(losses[0], rel=0.01)
    torch.testing.assert_close(half.network[0].weight, exact.network[0].weight, atol=2e-3, rtol=0.01)
    other = Learner(small_network(), ALONE)
    other.load_state(half.state())
    assert other.scaler.state_dict() == half.scaler.state_dict()
    other.load_state(exact.state())  # a state without float16


def test_a_gradient_that_overflows_in_float16_is_skipped(batch, monkeypatch):
    monkeypatch.setattr(learner, "mixed_format", lambda device: torch.float16)
    half = Learner(small_network(), ALONE)
    half.network[5].weight.register_hook(lambda gradient: gradient * float("inf"))
    before = half.network[0].weight.clone()
    half.step(*batch, lr=0.1, key=(0,), sam=0.1)
    assert torch.equal(half.network[0].weight, before)
    assert half.scaler.get_scale() == 2.0**15


def test_a_loss_that_is_not_finite_ends_the_run_with_a_sentence(batch):
    found, losses = Learner(small_network(), ALONE), Losses(ALONE)
    nn.init.constant_(found.network[5].bias, float("nan"))
    with pytest.raises(UserError, match="the loss is nan; what was saved before is kept; start a new run") as error:
        losses.add(found.step(*batch, lr=0.1, key=(0,)))
    assert error.value.exit_code == 1


def test_losses_of_a_device_are_read_once_in_a_while_and_none_is_lost():
    losses, values = Losses(Distributed(torch.device("meta")), every=4), torch.arange(1.0, 11.0)
    read = []
    for value in values:
        losses.add(value)
        read.append(losses.sum)
    assert read == [1, 1, 1, 1, 15, 15, 15, 15, 45, 45]  # the first at once, for the bar
    losses.read()
    losses.read()
    assert (losses.sum, losses.last) == (55, 10)
    losses.add(torch.tensor(float("inf")))
    with pytest.raises(UserError, match="the loss is inf"):
        losses.read()


class Reads(TorchDispatchMode):
    """Counts how often a number of a tensor is asked for, which on a device waits for all its work."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.is_nonzero.default)
        return function(*args, **kwargs or {})


@pytest.mark.parametrize("options", [{}, {"sam": 0.1, "parts": 2, "class_weights": torch.ones(3)}])
@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_step_asks_the_device_for_no_number(batch, options, optimiser):
    found = Learner(small_network(), ALONE, optimiser=optimiser)
    allowed = 1  # the count of the moving average, which is on the CPU; that of adamw, one a parameter, is there, too
    if optimiser == "adamw":
        allowed += len(list(found.network.parameters()))
    for step in range(2):
        with Reads() as reads:
            loss = found.step(*batch, lr=0.1, key=(step,), **options)
        assert reads.count <= allowed
    with Reads() as reads:
        loss.item()
    assert reads.count == 1


def test_it_computes_as_was_chosen(batch, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)
    found, plain = Learner(small_network(), ALONE), Learner(small_network(), ALONE)
    found.compute_as(Computing("cpu", "cpu", mixed=True, channels_last=False, compiled=True))
    assert found.network[0].weight.is_contiguous()
    assert (found.dtype, plain.dtype) == (None, None)  # a CPU has none
    losses = [one.step(*batch, lr=0.1, key=(0,)).item() for one in (found, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert compiled == [found.network]
    found.probe((4, 1, 8, 8))
    assert all(parameter.grad is None for parameter in found.network.parameters())


def test_weighted_classes_count_as_often_as_their_weights_say():
    logits, votes = (
        torch.randn(6, 3),
        torch.tensor(np.random.default_rng(0).dirichlet([1, 1, 1], 6), dtype=torch.float32),
    )
    weights = torch.tensor([0.5, 1.0, 3.0])
    rows = [kl_loss(logits[i : i + 1], votes[i : i + 1]) * (votes[i] * weights).sum() for i in range(6)]
    torch.testing.assert_close(kl_loss(logits, votes, class_weights=weights), torch.stack(rows).mean())
    torch.testing.assert_close(kl_loss(logits, votes, class_weights=torch.ones(3)), kl_loss(logits, votes))


def test_weights_of_classes_have_mean_one_over_the_faces_that_are_shown():
    votes = np.eye(3)[[0] * 6 + [1] * 2]
    found = weights_of_classes(votes, 1.0, shown=votes.mean(axis=0))
    assert found.tolist() == pytest.approx([4 / 6, 2, 0])
    assert (votes @ found).mean() == pytest.approx(1)
    assert weights_of_classes(votes, 0.0, shown=votes.mean(axis=0)).tolist() == [1, 1, 0]
    balanced = weights_of_classes(votes, 1.0, shown=np.array([0.5, 0.5, 0.0]))  # both classes equally often
    assert balanced.tolist() == pytest.approx([0.5, 1.5, 0])


def test_a_step_in_parts_is_the_step():
    x, target = torch.randn(8, 1, 48, 48), torch.full((8, 2), 0.5)
    target[:4] = torch.tensor([0.9, 0.1])
    found = []
    for parts in (1, 4, 3):  # three are not equal
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(1, 2, 5, 5), nn.ReLU(), nn.Flatten(), nn.Linear(162, 2))
        learner = Learner(network, Distributed(torch.device("cpu")))
        loss = learner.step(x, target, lr=0.1, key=(0, 0, 0), parts=parts, class_weights=torch.tensor([1.0, 2.0]))
        found.append((loss.item(), network[0].weight.detach().clone()))
    for loss, weight in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-5)
        torch.testing.assert_close(weight, found[0][1])


def test_parts_have_the_masks_of_one_dropout_and_not_of_two():
    x, target = torch.randn(8, 4), torch.eye(3)[torch.arange(8) % 3]
    for dropouts, same in ((1, True), (2, False)):
        weights = []
        for parts in (1, 2):
            torch.manual_seed(0)
            layers = [nn.Linear(4, 64), nn.ReLU()] + [nn.Dropout(0.5)] * dropouts + [nn.Linear(64, 3)]
            network = nn.Sequential(*layers)
            Learner(network, Distributed(torch.device("cpu"))).step(x, target, lr=0.1, key=(0, 0, 0), parts=parts)
            weights.append(network[0].weight.detach().clone())
        assert torch.allclose(*weights, atol=1e-6) == same


def test_frozen_layers_and_their_statistics_stay():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4, 2))
    freeze_layers(network, ["0", "1"], heads=())
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    learner = Learner(network, Distributed(torch.device("cpu")))
    learner.step(torch.randn(3, 1, 4, 4), torch.full((3, 2), 0.5), lr=0.1, key=(0, 0, 0))
    changed = {key for key, tensor in network.state_dict().items() if not torch.equal(tensor, before[key])}
    assert changed == {"4.weight", "4.bias"}
    assert (
        make_learner(Settings(momentum=0.5), network, Distributed(torch.device("cpu"))).optimiser.defaults["momentum"]
        == 0.5
    )


def test_a_batch_norm_that_sees_one_number_is_a_sentence(batch):
    x, target = batch
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.BatchNorm1d(3))
    with pytest.raises(UserError, match="one face at a time; raise --batch-size"):
        Learner(network, ALONE).step(x, target, lr=0.1, key=(0,), parts=6)
    assert Learner(network, ALONE).step(x, target, lr=0.1, key=(0,), parts=3).isfinite()
    way = Computing("cpu", "cpu", mixed=False)
    with pytest.raises(UserError, match="one face at a time; raise --batch-size"):  # also where passes are tried
        compile_or_refuse(way, lambda way: pass_s(way, network, (1, *x.shape[1:]), ALONE.device))


def test_a_trial_pass_asks_no_other_process():
    modes: list[bool] = []
    network = small_network()
    network.register_forward_pre_hook(lambda module, args: modes.append(module.training))
    for world_size in (1, 2):
        Learner(network, Distributed(torch.device("cpu"), 0, world_size)).probe((4, 1, 8, 8))
    assert modes == [True, False]  # in training a synchronised batch norm would wait


def test_each_process_has_dropout_masks_of_its_own():
    x, target, weights = torch.randn(8, 4), torch.eye(3)[torch.arange(8) % 3], []
    for rank in (0, 1, 1):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 3))
        Learner(network, Distributed(torch.device("cpu"), rank)).step(x, target, lr=0.1, key=(0, 0, 0))
        weights.append(network[1].weight.detach().clone())
    assert not torch.allclose(weights[0], weights[1])
    assert torch.equal(weights[1], weights[2])


def test_smoothed_a_face_still_counts_as_often_as_the_weight_of_its_class_says():
    logits, weights = torch.randn(3, 3), torch.tensor([0.5, 1.0, 3.0])
    rows = [kl_loss(logits[i : i + 1], torch.eye(3)[i : i + 1], smoothing=0.3) * weights[i] for i in range(3)]
    found = kl_loss(logits, torch.eye(3), smoothing=0.3, class_weights=weights)
    torch.testing.assert_close(found, torch.stack(rows).mean())
