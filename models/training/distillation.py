"""Distillation of a classifier: what its teachers say of a batch.

In:  trained classifiers; crops (B, S, S, 3) uint8 RGB, as augmented for the student.
Out: probabilities (B, K) float32, K in the order of the student's classes.

The student's target is t = (1 - d) v + d mean_m softmax(z_m) (Hinton et al. 2015, arXiv 1503.02531, at temperature 1),
where v are the votes, z_m the logits of teacher m on the same augmented picture, and d the share of the teachers. The
loss is KL(t || softmax(z)). Each teacher gets the picture at its own input size, in eval mode.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from models.classifier import Classifier
from support import UserError
from support.metrics import softmax


class Teachers:
    """The mean of several trained networks; `UserError` where one does not know a class of `class_names`."""

    def __init__(self, paths: Sequence[str], class_names: Sequence[str], *, device: torch.device | str) -> None:
        self.members = []
        for path in paths:
            member = Classifier.from_file(path, device=device, engine="torch")
            unknown = [name for name in class_names if name not in member.class_names]
            if unknown:
                raise UserError(
                    f"the teacher {path} does not know {', '.join(unknown)}; its classes are "
                    f"{', '.join(member.class_names)}. Name teachers that were trained on these classes."
                )
            self.members.append((member, [member.class_names.index(name) for name in class_names]))

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        """Rows sum to 1; classes that only a teacher knows are left out."""
        return np.mean([softmax(member.logits(crops)[:, columns]) for member, columns in self.members], axis=0)
