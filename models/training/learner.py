"""One training step of a classifier: from a batch and its targets to new weights.

In:  a network; x (B, C, h, w) and target distributions (B, K), float32 on its device; the step's learning rate.
Out: the loss, and in the learner the weights, their moving average, and all that the next step needs.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from support import FAILED, UserError
from support.training.learner import BaseLearner

TINY = 1e-12  # avoids a division by a gradient of zero


class Learner(BaseLearner[nn.Module]):
    """A classifier under training, over all processes; made as `BaseLearner` is."""

    @functools.cached_property
    def parallel(self) -> nn.Module:
        """The network, whose gradients are then the mean over all processes."""
        return self.distributed.parallel(self.network)

    def step(
        self, x: Tensor, target: Tensor, *, lr: float, key: tuple[int, ...], smoothing: float = 0.0, sam: float = 0.0
    ) -> float:
        """Update the weights once; returns the loss before it, as the mean over all processes.

        key: numbers that, together with the rank, seed the dropout masks, so that a resumed run repeats them.
        smoothing: see `kl_loss`. sam: radius of `perturbed_weights`; 0 for none. Raises `UserError` where the loss is
        not finite.
        """
        seed = int(np.random.SeedSequence((*key, self.distributed.rank)).generate_state(1)[0])
        self.parallel.train()
        loss = self.distributed.mean(self._backward(x, target, seed, smoothing))
        if not math.isfinite(loss):
            raise UserError(f"the loss is {loss}; start a new run with a lower --lr.", exit_code=FAILED)
        if sam:
            with perturbed_weights(self.network, sam):
                self._backward(x, target, seed, smoothing)
        self.update(lr=lr)
        return loss

    def _backward(self, x: Tensor, target: Tensor, seed: int, smoothing: float) -> float:
        """Leave the gradient of the loss in the network; returns the loss of this process."""
        torch.manual_seed(seed)
        with torch.autocast(x.device.type, self.dtype, enabled=self.dtype is not None):
            logits = self.parallel(x)
        loss = kl_loss(logits.float(), target, smoothing=smoothing)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        return loss.item()


def kl_loss(logits: Tensor, votes: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Mean over the batch of KL(votes || softmax(logits)) = sum_k v_k log(v_k / p_k), in nats; all (N, K) float32.

    For one-hot votes it is cross-entropy. `smoothing`, from 0 to 1, is the share of every target that is spread evenly
    over the K classes (Szegedy et al. 2016, arXiv 1512.00567, section 7); the loss then differs from cross-entropy by
    the target's own entropy, which does not depend on the weights.
    """
    target = (1 - smoothing) * votes + smoothing / votes.shape[1]
    return F.kl_div(F.log_softmax(logits, dim=1), target, reduction="batchmean")


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
