"""The part of a training step that comes after the loss: from gradients to new weights and their moving average.

In:  a network whose parameters hold gradients, the learning rate.
Out: new weights, and the state that a resumed run needs.
"""

from __future__ import annotations

import copy
from typing import Generic, TypeVar, cast

import torch
from torch import nn

from support.training.distributed import Distributed
from support.training.ema import moving_average
from support.training.optimisers import make_optimiser

Network = TypeVar("Network", bound=nn.Module)
PARTS = ("network", "ema", "optimiser", "scaler")  # of the state


class BaseLearner(Generic[Network]):
    """A network under training, its optimiser and the moving average of its weights, on the device of `distributed`.

    optimiser, weight_decay, momentum: see support/training/optimisers.py.
    ema: decay of the moving average of the weights; 0 for none.
    clip_norm: largest norm of the gradient; 0 for any.
    scaler: what has scaled the loss, in mixed precision; None for an unscaled loss.
    """

    def __init__(
        self,
        network: Network,
        distributed: Distributed,
        *,
        optimiser: str,
        weight_decay: float,
        momentum: float = 0.9,
        ema: float,
        clip_norm: float,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        self.distributed, self.clip_norm = distributed, clip_norm
        self.network: Network = network.to(distributed.device).to(memory_format=torch.channels_last)
        self.ema = moving_average(self.network, ema)
        self.optimiser = make_optimiser(optimiser, self.network, weight_decay=weight_decay, momentum=momentum)
        self.scaler = scaler or torch.amp.GradScaler(distributed.device.type, enabled=False)

    def update(self, *, lr: float) -> None:
        """One step of the optimiser, from the gradients that the network holds."""
        self.scaler.unscale_(self.optimiser)
        if self.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.ema.update_parameters(self.network)

    def averaged(self) -> Network:
        """A copy of the moving average, in eval mode, the same on all processes; all of them must call it."""
        self.distributed.broadcast(self.ema.module)
        return cast(Network, copy.deepcopy(self.ema.module).eval())

    def state(self) -> dict:
        """Everything as tensors and plain values; `load_state` restores it exactly."""
        return {part: getattr(self, part).state_dict() for part in PARTS}

    def load_state(self, state: dict) -> None:
        """Continue from a `state`, perhaps one of another device."""
        for part in PARTS:
            if state.get(part):  # without float16 the scaler has none
                getattr(self, part).load_state_dict(state[part])
