"""How weights move: optimisers by name, the learning rate over a run, sharpness-aware steps.

In:  a network and the settings of a run.
Out: torch optimisers, factors of the learning rate, and weights that climb for the length of a `with`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

TINY = 1e-12  # keeps a gradient of zero from being divided by


def make_optimiser(name: str, network: nn.Module, *, weight_decay: float, momentum: float) -> torch.optim.Optimizer:
    """sgd (Nesterov's, with `momentum`), adam (Kingma & Ba 2015) or adamw (Loshchilov & Hutter 2019).

    `weight_decay` is added to the gradient by sgd and adam; adamw takes it off the weights themselves. The learning
    rate is set before each step.
    """
    groups = weight_groups(network, weight_decay)
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=momentum, nesterov=momentum > 0)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name](groups)


def weight_groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Two parameter groups: matrices and kernels decay, norms and biases do not."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def lr_share(done: float, *, warmup: float, schedule: str) -> float:
    """The share of the highest learning rate when `done` (0 to 1) of the run is over.

    It rises from 0 in a straight line during the share `warmup`; then it stays ("constant"), or falls as half a cosine
    to 0 at the end ("cosine"; Loshchilov & Hutter 2017, eq. 5).
    """
    if done < warmup:
        return done / warmup
    if schedule == "constant" or warmup >= 1:
        return 1.0
    return 0.5 + 0.5 * math.cos(math.pi * (done - warmup) / (1 - warmup))


@contextlib.contextmanager
def perturbed_weights(network: nn.Module, rho: float) -> Iterator[None]:
    """Inside, the weights are w + rho g / |g|, where g is the gradient that they hold; afterwards w again, to the bit.

    Sharpness-aware minimisation (Foret et al. 2021, arXiv 2010.01412, eq. 2 with p = 2) takes its gradient there and
    steps from w. Batch norms keep their running statistics, which are those of w.
    """
    parameters = [p for p in network.parameters() if p.grad is not None]
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    gradients = [p.grad for p in parameters]
    before = [p.detach().clone() for p in parameters]
    length = torch.stack(torch._foreach_norm(gradients)).norm()
    with torch.no_grad():
        torch._foreach_add_(parameters, torch._foreach_mul(gradients, rho / (length + TINY)))
    for module in norms:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in norms:
            module.track_running_stats = True
        with torch.no_grad():
            torch._foreach_copy_(parameters, before)
