"""One training step of a classifier: from a batch and its targets to new weights.

In:  a network; x (B, C, h, w) and target distributions (B, K), float32 on its device; the step's learning rate.
Out: the loss, and in the learner the weights, their moving average, and all that the next step needs.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from models.training.losses import kl_loss
from models.training.precision import precision_on
from models.training.sam import perturbed_weights
from support import FAILED, UserError
from support.training.distributed import Distributed
from support.training.learner import BaseLearner


class Learner(BaseLearner[nn.Module]):
    """A classifier under training, on the device of `distributed` and over all of its processes.

    optimiser, weight_decay, momentum, ema, clip_norm: as in `BaseLearner`.
    sam: radius of the perturbation of sharpness-aware minimisation; 0 for none.
    smoothing: share of every target that is spread over all classes.
    mixed: compute in mixed precision where the device has it.
    """

    def __init__(
        self,
        network: nn.Module,
        distributed: Distributed,
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
        self.precision = precision_on(distributed.device, mixed=mixed)
        super().__init__(
            network,
            distributed,
            optimiser=optimiser,
            weight_decay=weight_decay,
            momentum=momentum,
            ema=ema,
            clip_norm=clip_norm,
            scaler=self.precision.scaler(),
        )
        self.parallel = distributed.parallel(self.network)
        self.sam, self.smoothing = sam, smoothing

    def step(self, x: Tensor, target: Tensor, *, lr: float, key: tuple[int, ...]) -> float:
        """Update the weights once; returns the loss before it, as the mean over all processes.

        key: numbers that, together with the rank, seed the dropout masks, so that a resumed run repeats them. Raises
        `UserError` where the loss is not finite.
        """
        seed = int(np.random.SeedSequence((*key, self.distributed.rank)).generate_state(1)[0])
        self.parallel.train()
        loss = self.distributed.mean(self._backward(x, target, seed))
        if not math.isfinite(loss):
            raise UserError(f"the loss is {loss}; start a new run with a lower --lr.", exit_code=FAILED)
        if self.sam:
            with perturbed_weights(self.network, self.sam):
                self._backward(x, target, seed)
        self.update(lr=lr)
        return loss

    def _backward(self, x: Tensor, target: Tensor, seed: int) -> float:
        """Leave the gradient of the loss in the network; returns the loss of this process."""
        torch.manual_seed(seed)
        with self.precision.autocast():
            logits = self.parallel(x)
        loss = kl_loss(logits.float(), target, smoothing=self.smoothing)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        return loss.item()
