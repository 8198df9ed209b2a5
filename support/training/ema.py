"""The running mean of a network's weights, which is what both trainers validate and keep.

In:  a network under training and a decay.
Out: torch's `AveragedModel`, to be updated after each step.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def running_mean(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential mean of all parameters and buffers: mean = decay * mean + (1 - decay) * weights.

    At step t the decay is at most (1 + t) / (10 + t), so that the mean does not drag the untrained weights along.
    """
    return AveragedModel(network, multi_avg_fn=_update(decay), use_buffers=True)


def _update(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor], None]:
    @torch.no_grad()
    def update(mean: list[Tensor], weights: list[Tensor], steps: Tensor | int) -> None:
        now = min(decay, (1 + int(steps)) / (10 + int(steps)))
        if mean[0].is_floating_point():
            torch._foreach_lerp_(mean, weights, 1 - now)
        else:  # counters
            torch._foreach_copy_(mean, weights)

    return update
