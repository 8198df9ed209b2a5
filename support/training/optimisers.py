"""Optimisers by name, their parameter groups, and the learning rate over a run.

In:  a network and the settings of a run.
Out: torch optimisers, and factors of the highest learning rate.
"""

from __future__ import annotations

import math

import torch
from torch import nn


def make_optimiser(
    name: str, network: nn.Module, *, weight_decay: float, momentum: float = 0.9
) -> torch.optim.Optimizer:
    """sgd (Nesterov's, with `momentum`), adam (Kingma & Ba 2015) or adamw (Loshchilov & Hutter 2019).

    sgd and adam add `weight_decay` to the gradient, adamw subtracts it from the weights. The learning rate is set
    before each step.
    """
    groups = parameter_groups(network, weight_decay)
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=momentum, nesterov=momentum > 0)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name](groups)


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Two groups: matrices and kernels, which decay; norms and biases, which do not."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def lr_factor(done: float, *, warmup: float, schedule: str = "cosine") -> float:
    """The share of the highest learning rate, 0 to 1, when the share `done` of the run is over.

    It rises linearly from 0 during the share `warmup` of the run. Then it stays ("constant"), or falls to 0 along half
    a cosine ("cosine"; Loshchilov & Hutter 2017, eq. 5).
    """
    if done < warmup:
        return done / warmup
    if schedule == "constant" or warmup >= 1:
        return 1.0
    return 0.5 + 0.5 * math.cos(math.pi * (done - warmup) / (1 - warmup))
