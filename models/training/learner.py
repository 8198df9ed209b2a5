"""One step of training: from a batch and its targets to weights that are a little better.

In:  a network; x (B, C, h, w) and target distributions (B, K), float32 on its device; the step's learning rate.
Out: the loss, and in the learner the weights, their running mean, and all that the next step needs.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from models.training.losses import kl_loss
from models.training.precision import precision_on
from support import FAILED, UserError
from support.training.distributed import Distributed
from support.training.ema import running_mean
from support.training.optimisers import make_optimiser, perturbed_weights

PARTS = ("network", "ema", "optimiser", "scaler")  # what a state is made of


class Learner:
    """A network under training, on the device of `ranks` and over all of its processes.

    optimiser, weight_decay, momentum, sam: see support/training/optimisers.py.
    ema: decay of the running mean of the weights; 0 for none.
    clip_norm: largest norm of the gradient; 0 for any.
    smoothing: share of every target that is spread over all classes.
    mixed: compute in mixed precision where the device has it.
    """

    def __init__(
        self,
        network: nn.Module,
        ranks: Distributed,
        *,
        optimiser: str = "sgd",
        weight_decay: float = 5e-4,
        momentum: float = 0.9,
        ema: float = 0.998,
        sam: float = 0.0,
        clip_norm: float = 5.0,
        smoothing: float = 0.0,
        mixed: bool = True,
    ) -> None:
        self.ranks, self.averages, self.sam, self.clip_norm, self.smoothing = ranks, ema > 0, sam, clip_norm, smoothing
        self.network = network.to(ranks.device, memory_format=torch.channels_last)
        self.ema = running_mean(self.network, ema)
        self.parallel = ranks.parallel(self.network)
        self.optimiser = make_optimiser(optimiser, self.network, weight_decay=weight_decay, momentum=momentum)
        self.precision = precision_on(ranks.device, mixed=mixed)
        self.scaler = self.precision.scaler()

    def step(self, x: Tensor, target: Tensor, *, lr: float, key: tuple[int, ...]) -> float:
        """Move the weights once; the loss before it, as the mean over the batches of all processes.

        key: what the dropout's masks hang on, together with the number of the process; a run that is resumed draws
        what it would have drawn. Raises `UserError` where the loss is no number any more.
        """
        seed = int(np.random.SeedSequence((*key, self.ranks.rank)).generate_state(1)[0])
        self.parallel.train()
        loss = self.ranks.mean(self._gradient(x, target, seed))
        if not math.isfinite(loss):
            raise UserError(f"the loss is {loss}; start anew with a lower --lr.", exit_code=FAILED)
        if self.sam:
            with perturbed_weights(self.network, self.sam):
                self._gradient(x, target, seed)
        self.scaler.unscale_(self.optimiser)
        if self.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.ema.update_parameters(self.network)
        return loss

    def kept(self) -> nn.Module:
        """What is validated and kept, in eval mode: the running mean, or without one the network. All processes call
        it, as all take the first one's."""
        network = self.ema.module if self.averages else self.network
        self.ranks.agree(network)
        return network.eval()

    def state(self) -> dict:
        """All of it as tensors and plain values; `load_state` takes it up to the bit."""
        return {part: getattr(self, part).state_dict() for part in PARTS}

    def load_state(self, state: dict) -> None:
        """Go on from a `state`, perhaps one of another device."""
        for part in PARTS:
            if state.get(part):  # without float16 the scaler has none
                getattr(self, part).load_state_dict(state[part])

    def _gradient(self, x: Tensor, target: Tensor, seed: int) -> float:
        """Leave the loss's gradient in the network; the loss of this process."""
        torch.manual_seed(seed)
        with self.precision.autocast():
            logits = self.parallel(x)
        loss = kl_loss(logits.float(), target, smoothing=self.smoothing)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        return loss.item()
