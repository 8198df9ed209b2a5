"""Distillation of a classifier: the target of a student is a mixture of the votes and its teachers' probabilities.

In:  checkpoints; crops (B, S, S, 3) uint8 RGB, as augmented for the student.
Out: probabilities (B, K) float32 on the device, K in the order of the student's classes.

The student's target is t = (1 - d) v + d mean_m softmax(z_m) (Hinton et al. 2015, arXiv 1503.02531, at temperature 1),
where v are the votes, z_m the logits of teacher m on the same augmented picture, and d the share of the teachers. The
loss is KL(t || softmax(z)). Each teacher gets the picture at its own input size, in eval mode.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from models.checkpoint import load_checkpoint
from support import UserError


class Teachers:
    """The mean of several trained networks; `UserError` where one does not know a class of `class_names`."""

    def __init__(self, paths: Sequence[str], class_names: Sequence[str], *, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self.members = []
        for path in paths:
            checkpoint = load_checkpoint(path)
            unknown = [name for name in class_names if name not in checkpoint.class_names]
            if unknown:
                raise UserError(
                    f"the teacher {path} does not know {', '.join(unknown)}; its classes are "
                    f"{', '.join(checkpoint.class_names)}. Name teachers that were trained on these classes."
                )
            network = checkpoint.build().to(self.device).to(memory_format=torch.channels_last).requires_grad_(False)
            columns = [checkpoint.class_names.index(name) for name in class_names]
            self.members.append((network, checkpoint.preprocess, columns))

    @torch.no_grad()  # not inference mode: the loss keeps the target for its backward pass
    def __call__(self, crops: np.ndarray) -> Tensor:
        """(B, K) float32, rows sum to 1; classes that only a teacher knows are left out."""
        members = []
        for network, preprocess, columns in self.members:
            x = preprocess(crops, device=self.device).contiguous(memory_format=torch.channels_last)
            members.append(network(x).float()[:, columns].softmax(dim=1))
        return torch.stack(members).mean(dim=0)
