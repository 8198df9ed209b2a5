"""One training step of a classifier: from a batch and its targets to new weights.

In:  a network; x (B, C, h, w) and target distributions (B, K), float32 on its device; the step's learning rate.
Out: the loss on that device, and in the learner the weights, their moving average, and all that the next step needs.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.training.computing import Computing, compute_logits
from models.training.settings import Settings
from support import FAILED, UserError
from support.training.distributed import Distributed
from support.training.learner import BaseLearner

TINY = 1e-12  # avoids a division by a gradient of zero


class Learner(BaseLearner[nn.Module]):
    """A classifier under training, over all processes; made as `BaseLearner` is."""

    compiled = False

    def compute_as(self, how: Computing) -> None:
        """Compute in this way; to be called before the first step."""
        self.mix_precision(how.mixed)
        self.compiled = how.compiled
        for network in (self.network, self.ema):
            network.to(memory_format=how.memory_format)

    @functools.cached_property
    def parallel(self) -> nn.Module:
        """The network, whose gradients are then the mean over all processes; compiled where `compute_as` says so."""
        network = self.distributed.parallel(self.network)
        return cast(nn.Module, torch.compile(network)) if self.compiled else network

    @functools.cached_property
    def frozen_norms(self) -> list[nn.Module]:
        """Batch norms whose weights are not trained: their statistics stay, too."""
        norms = [module for module in self.network.modules() if isinstance(module, _BatchNorm)]
        return [norm for norm in norms if norm.weight is not None and not norm.weight.requires_grad]

    def step(
        self,
        x: Tensor,
        target: Tensor,
        *,
        lr: float,
        key: tuple[int, ...],
        smoothing: float = 0.0,
        sam: float = 0.0,
        parts: int = 1,
        class_weights: Tensor | None = None,
    ) -> Tensor:
        """Update the weights once; returns this process's loss before it, perhaps still being computed: see `Losses`.

        key: numbers that, together with the rank, seed the dropout masks, so that a resumed run repeats them.
        smoothing, class_weights: see `kl_loss`. sam: radius of `perturbed_weights`; 0 for none.
        parts: how many passes the batch is split into, whose gradients are summed: the same step in less memory, but
            for batch norms, which see a part at a time, and the dropout masks of networks with several dropouts.
        """
        seed = int(np.random.SeedSequence((*key, self.distributed.rank)).generate_state(1)[0])
        self.parallel.train()
        for norm in self.frozen_norms:
            norm.eval()
        backward = functools.partial(
            self._backward, x, target, seed, smoothing=smoothing, parts=parts, class_weights=class_weights
        )
        loss = backward()
        if sam:
            with perturbed_weights(self.network, sam):
                backward()
        self.update(lr=lr)
        return loss

    def probe(self, shape: tuple[int, ...]) -> None:
        """A forward and a backward pass of this process alone on zeros of `shape` (B, C, h, w), to see if they fit."""
        device, alone = self.distributed.device, self.distributed.world_size == 1
        network = self.network.train(alone)  # a synchronised batch norm in training waits for the other processes
        with torch.autocast(device.type, self.dtype, enabled=self.dtype is not None):
            logits = network(torch.zeros(shape, device=device))
        logits.float().square().mean().backward()
        self.optimiser.zero_grad(set_to_none=True)

    def _backward(
        self,
        x: Tensor,
        target: Tensor,
        seed: int,
        smoothing: float = 0.0,
        *,
        parts: int = 1,
        class_weights: Tensor | None = None,
    ) -> Tensor:
        """Leave the gradient of the loss in the network; returns the loss of this process."""
        torch.manual_seed(seed)
        self.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=x.device)
        for some, wanted in zip(x.chunk(parts), target.chunk(parts), strict=True):
            with torch.autocast(x.device.type, self.dtype, enabled=self.dtype is not None):
                logits = compute_logits(self.parallel, some)
            loss = kl_loss(logits.float(), wanted, smoothing=smoothing, class_weights=class_weights)
            loss = loss * (len(some) / len(x))
            self.scaler.scale(loss).backward()
            total += loss.detach()
        return total


class Losses:
    """The losses of steps as numbers, which are read once in a while: reading one waits until its step is done.

    sum: of all that were read, as means over all processes. last: the latest of them.
    every: how many steps are read at once; on a CPU each by itself, because there a step is done when it returns.
    """

    def __init__(self, distributed: Distributed, *, every: int = 32) -> None:
        self.distributed = distributed
        self.every = 1 if distributed.device.type == "cpu" else every
        self.waiting: list[Tensor] = []
        self.sum, self.last = 0.0, math.nan

    def add(self, loss: Tensor) -> None:
        """After a step; may raise as `read` does."""
        self.waiting.append(loss)
        if len(self.waiting) >= self.every or math.isnan(self.last):
            self.read()

    def read(self) -> None:
        """Wait for all steps. Raises `UserError` where a loss is not finite, which comes before anything is saved."""
        if not self.waiting:
            return
        for loss in self.distributed.means(torch.stack(self.waiting).tolist()):
            if not math.isfinite(loss):
                raise UserError(
                    f"the loss is {loss}; what was saved before is kept; start a new run with a lower --lr.",
                    exit_code=FAILED,
                )
            self.sum, self.last = self.sum + loss, loss
        self.waiting = []


def make_learner(settings: Settings, network: nn.Module, distributed: Distributed) -> Learner:
    """The learner of a run's settings."""
    return Learner(
        network,
        distributed,
        optimiser=settings.optimiser,
        weight_decay=settings.weight_decay,
        momentum=settings.momentum,
        ema=settings.ema,
        clip_norm=settings.clip_norm,
        mixed=settings.amp,
    )


def kl_loss(logits: Tensor, votes: Tensor, *, smoothing: float = 0.0, class_weights: Tensor | None = None) -> Tensor:
    """Mean over the batch of KL(votes || softmax(logits)) = sum_k v_k log(v_k / p_k), in nats; all (N, K) float32.

    For one-hot votes it is cross-entropy. `smoothing`, from 0 to 1, is the share of every target that is spread evenly
    over the K classes (Szegedy et al. 2016, arXiv 1512.00567, section 7); the loss then differs from cross-entropy by
    the target's own entropy, which does not depend on the weights.

    class_weights: (K,) float32; a face counts sum_k v_k class_weights_k times.
    """
    target = (1 - smoothing) * votes + smoothing / votes.shape[1]
    log_p = F.log_softmax(logits, dim=1)
    if class_weights is None:
        return F.kl_div(log_p, target, reduction="batchmean")
    return (F.kl_div(log_p, target, reduction="none").sum(dim=1) * (votes @ class_weights)).mean()


def weights_of_classes(votes: np.ndarray, exponent: float, *, shown: np.ndarray) -> np.ndarray:
    """(K,) float32, in proportion to n_k ** -exponent for a class with n_k of the votes (N, K); 0 for one without any.

    shown: (K,) float, the classes' shares of the votes of the faces that an epoch shows, whose mean weight is 1.
    """
    counts = votes.sum(axis=0, dtype=np.float64)
    weights = np.where(counts > 0, np.maximum(counts, TINY) ** -exponent, 0)
    return (weights / (weights * shown).sum()).astype(np.float32)


@contextlib.contextmanager
def perturbed_weights(network: nn.Module, rho: float) -> Iterator[None]:
    """Inside, the weights are w + rho g / |g|, where g is the gradient that they hold; afterwards exactly w again.

    Sharpness-aware minimisation (Foret et al. 2021, arXiv 2010.01412, eq. 2 with p = 2): the gradient of a step is
    taken at the perturbed weights, the step starts at w. Running statistics of batch norms are not updated inside.
    """
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    held = [(p.detach(), p.grad) for p in network.parameters() if p.grad is not None]  # detached: the same memory
    before = [weight.clone() for weight, _ in held]
    factor = rho / (nn.utils.get_total_norm([gradient for _, gradient in held]) + TINY)
    for weight, gradient in held:
        weight += factor * gradient
    for module in norms:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in norms:
            module.track_running_stats = True
        torch._foreach_copy_([weight for weight, _ in held], before)
