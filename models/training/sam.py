"""Sharpness-aware minimisation: the perturbation of the weights at which it takes its gradient.

In:  a network that holds a gradient, and a radius.
Out: the same network, perturbed for the length of a `with`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

TINY = 1e-12  # avoids a division by a gradient of zero


@contextlib.contextmanager
def perturbed_weights(network: nn.Module, rho: float) -> Iterator[None]:
    """Inside, the weights are w + rho g / |g|, where g is the gradient that they hold; afterwards exactly w again.

    Foret et al. 2021, arXiv 2010.01412, eq. 2 with p = 2: the gradient of a step is taken at the perturbed weights, the
    step starts at w. Running statistics of batch norms are not updated inside, so they stay those of w.
    """
    parameters = [p for p in network.parameters() if p.grad is not None]
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    gradients = [p.grad for p in parameters if p.grad is not None]
    weights = [p.detach() for p in parameters]  # the same memory
    before = [weight.clone() for weight in weights]
    length = torch.stack(torch._foreach_norm(gradients)).norm()
    factor = rho / (length + TINY)
    for weight, gradient in zip(weights, gradients, strict=True):
        weight += factor * gradient
    for module in norms:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in norms:
            module.track_running_stats = True
        torch._foreach_copy_(weights, before)
