"""Ensemble: several classifiers asked as one.

In:  crops (N, S, S, 3) uint8 RGB.
Out: an `EnsemblePrediction`: probabilities (N, K) float32, the unweighted mean of the members', in the order of
     `class_names`; heatmaps (N, h, w), the mean of the members' for the same class.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.classifier import Classifier
from models.prediction import EnsemblePrediction
from support import UserError

if TYPE_CHECKING:
    import torch


class Ensemble:
    """Classifiers of the same classes, joined by the classes' names; the first one's order is the ensemble's.

    size_hw: of the heatmaps, and of crops that are fine enough for every member: the largest that one of them sees.
    Raises `UserError` where one knows other classes than the first, or takes the class prior in another way.
    """

    def __init__(self, members: Sequence[Classifier]) -> None:
        self.members = tuple(members)
        self.class_names = members[0].class_names
        for member in members[1:]:
            if set(member.class_names) != set(self.class_names):
                raise UserError(
                    f"the networks of an ensemble must know the same classes: {members[0].name} knows "
                    f"{', '.join(self.class_names)}, but {member.name} knows {', '.join(member.class_names)}; "
                    "name networks of the same classes."
                )
        if len({member.prior for member in members}) > 1:
            raise UserError(
                "the networks of an ensemble must take the class prior alike, but "
                f"{' and '.join(m.name for m in members if m.prior == 'dataset')} cannot take it out; give --prior "
                "dataset for all."
            )
        self.name, self.device = " + ".join(member.name for member in members), members[0].device
        self.prior = members[0].prior
        self.size_hw = max(member.size_hw for member in members)
        self._orders = [np.array([one.class_names.index(name) for name in self.class_names]) for one in members]

    @property
    def computing(self) -> str:
        """Those of the members, where they have any."""
        return " + ".join(filter(None, (member.computing for member in self.members)))

    def warm_up(self, *, amp: bool = True) -> None:
        """As `Classifier.warm_up`, for crops of the ensemble's size."""
        for member in self.members:
            member.engine.warm_up(self.size_hw[0], amp=amp)

    def forward(self, crops: np.ndarray, *, tta: bool = False) -> EnsemblePrediction:
        """As `Classifier.forward`, one pass a member."""
        members = [member.forward(crops, tta=tta) for member in self.members]
        return EnsemblePrediction(members, self._orders, size_hw=self.size_hw)

    def probabilities(self, crops: np.ndarray | Sequence[np.ndarray], *, tta: bool = False) -> np.ndarray:
        """(N, K) float32; with `tta` each member's is the mean over each crop and its mirror image."""
        return self.aligned([member.probabilities(crops, tta=tta) for member in self.members]).mean(axis=0)

    def aligned(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """(M, N, K): what each of the M members gave, (N, K) in its own order of classes, in the ensemble's."""
        return np.stack([output[:, order] for output, order in zip(outputs, self._orders, strict=True)])


def classifier_from_files(
    paths: Sequence[str | Path],
    *,
    device: torch.device | str = "cpu",
    confidence: str = "crowd",
    prior: str = "dataset",
    engine: str = "auto",
    threads: int = 2,
) -> Classifier | Ensemble:
    """The classifier in one file (the shipped one where none is named), or the ensemble of several."""
    wanted: list[str | Path | None] = [*paths] or [None]
    members = [
        Classifier.from_file(path, device=device, confidence=confidence, prior=prior, engine=engine, threads=threads)
        for path in wanted
    ]
    return members[0] if len(members) == 1 else Ensemble(members)
