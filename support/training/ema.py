"""Exponential moving average (EMA) of a network's weights, which is what both trainers validate and save.

In:  a network under training and a decay.
Out: torch's `AveragedModel`, to be updated after each step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """An average of all parameters and buffers: average = decay * average + (1 - decay) * weights. 0: the weights.

    At step t the decay is at most (1 + t) / (10 + t), so that the untrained weights do not stay in the average.
    """
    return AveragedModel(network, multi_avg_fn=_update(decay), use_buffers=True)


def _update(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    @torch.no_grad()
    def update(average: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
        average, weights = list(average), list(weights)
        now = min(decay, (1 + int(steps)) / (10 + int(steps)))
        if average[0].is_floating_point():
            torch._foreach_lerp_(average, weights, 1 - now)
        else:  # counters
            torch._foreach_copy_(average, weights)

    return update
