"""The part of a training step that comes after the loss: from gradients to new weights and their moving average.

In:  a network whose parameters hold gradients, the settings of a run.
Out: new weights, their average, and the state that a resumed run needs; factors of the highest learning rate.
"""

from __future__ import annotations

import copy
import itertools
import math
from typing import Generic, TypeVar, cast

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from support.device.card import mixed_format
from support.training.distributed import Distributed
from support.training.state_check import check_optimiser, check_part

Network = TypeVar("Network", bound=nn.Module)
PARTS = ("network", "ema", "optimiser", "scaler")  # of the state


class BaseLearner(Generic[Network]):
    """A network under training, its optimiser and the moving average of its weights, on the device of `distributed`.

    optimiser, weight_decay, momentum, ema: see `make_optimiser` and `MovingAverage`.
    clip_norm: largest norm of the gradient; 0 for any.
    mixed: mixed precision where the device has it, see `mixed_format`; `scaler` is then to scale the loss.
    """

    def __init__(
        self,
        network: Network,
        distributed: Distributed,
        *,
        optimiser: str = "sgd",
        weight_decay: float = 5e-4,
        momentum: float = 0.9,
        ema: float = 0.998,
        clip_norm: float = 5.0,
        mixed: bool = True,
    ) -> None:
        device = distributed.device
        self.distributed, self.clip_norm = distributed, clip_norm
        self.network: Network = network.to(device).to(memory_format=torch.channels_last)
        self.ema = MovingAverage(self.network, ema)
        self.optimiser = make_optimiser(optimiser, self.network, weight_decay=weight_decay, momentum=momentum)
        self.mix_precision(mixed)

    def mix_precision(self, mixed: bool) -> None:
        """Switch mixed precision on or off; to be called before the first step."""
        device = self.distributed.device
        self.dtype = mixed_format(device) if mixed else None
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype == torch.float16)

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
        """Continue from a `state`, perhaps one of another device; `UserError` where it is of another network."""
        check_part(state.get("network"), self.network.state_dict(), what="network")
        check_part(state.get("ema"), self.ema.state_dict(), what="moving average")
        check_optimiser(state.get("optimiser"), self.optimiser)
        if mine := self.scaler.state_dict():  # without float16 the scaler has none
            check_part(state.get("scaler") or mine, mine, what="scaler")
        for part in PARTS:
            if isinstance(state.get(part), dict) and state[part]:
                getattr(self, part).load_state_dict(state[part])


class MovingAverage(AveragedModel):
    """An average of all parameters and buffers: average = decay * average + (1 - decay) * weights. 0: the weights.

    At step t the decay is at most (1 + t) / (10 + t), so that the untrained weights do not stay in the average. Unlike
    torch's, this average counts its steps on the CPU: to read a count on a device is to wait for all its work.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, use_buffers=True)
        self.decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take the weights of `model` in."""
        averages, weights = (list(itertools.chain(m.parameters(), m.buffers())) for m in (self.module, model))
        real = [average.is_floating_point() for average in averages]
        steps = int(self.n_averaged)
        if steps:
            now = min(self.decay, (1 + steps) / (10 + steps))
            mean, latest = (list(itertools.compress(tensors, real)) for tensors in (averages, weights))
            torch._foreach_lerp_(mean, latest, 1 - now)
        for average, weight, is_real in zip(averages, weights, real, strict=True):
            if not (steps and is_real):  # counters, and all at first
                average.copy_(weight)
        self.n_averaged += 1


def make_optimiser(
    name: str, network: nn.Module, *, weight_decay: float, momentum: float = 0.9
) -> torch.optim.Optimizer:
    """sgd (Nesterov's, with `momentum`), adam (Kingma & Ba 2015) or adamw (Loshchilov & Hutter 2019).

    sgd and adam add `weight_decay` to the gradient, adamw subtracts it from the weights; norms and biases have none.
    The learning rate is set before each step.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups: list[dict] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},  # matrices and kernels
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if name == "sgd":
        return torch.optim.SGD(groups, momentum=momentum, nesterov=momentum > 0)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name](groups)


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
