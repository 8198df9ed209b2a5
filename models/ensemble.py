"""Ensemble: several classifiers asked as one.

In:  crops (N, S, S, 3) uint8 RGB.
Out: probabilities (N, K) float32, the unweighted mean of the members', in the order of `class_names`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.classifier import Classifier
from support import UserError


class Ensemble:
    """Classifiers of the same classes, joined by the classes' names; the first one's order is the ensemble's.

    Raises `UserError` where one knows other classes than the first.
    """

    def __init__(self, members: Sequence[Classifier]) -> None:
        self.members = tuple(members)
        self.class_names = members[0].class_names
        for member in members[1:]:
            if set(member.class_names) != set(self.class_names):
                raise UserError(
                    f"the networks of an ensemble must know the same classes: {members[0].name} knows "
                    f"{', '.join(self.class_names)}, but {member.name} {', '.join(member.class_names)}."
                )

    def probabilities(self, crops: np.ndarray | Sequence[np.ndarray], *, tta: bool = False) -> np.ndarray:
        """(N, K) float32; with `tta` each member's is the mean over each crop and its mirror image."""
        return self.aligned([member.probabilities(crops, tta=tta) for member in self.members]).mean(axis=0)

    def aligned(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """(M, N, K): what each of the M members gave, (N, K) in its own order of classes, in the ensemble's."""
        orders = [[member.class_names.index(name) for name in self.class_names] for member in self.members]
        return np.stack([output[:, order] for output, order in zip(outputs, orders, strict=True)])
