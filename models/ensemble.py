"""Ensemble: several classifiers asked as one.

In:  crops (N, S, S, 3) uint8 RGB.
Out: probabilities (N, K) float32, the unweighted mean of the members', in the order of `class_names`; heatmaps
     (N, h, w), the mean of the members' for the same class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from gradcam import enlarge
from models.classifier import Classifier, Reading
from support import UserError


class Ensemble:
    """Classifiers of the same classes, joined by the classes' names; the first one's order is the ensemble's.

    size_hw: of the heatmaps, and of crops that are fine enough for every member: the largest that one of them sees.
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
        self.name, self.device = " + ".join(member.name for member in members), members[0].device
        self.size_hw = max(member.size_hw for member in members)
        self._orders = [np.array([one.class_names.index(name) for name in self.class_names]) for one in members]

    def probabilities(self, crops: np.ndarray | Sequence[np.ndarray], *, tta: bool = False) -> np.ndarray:
        """(N, K) float32; with `tta` each member's is the mean over each crop and its mirror image."""
        return self.aligned([member.probabilities(crops, tta=tta) for member in self.members]).mean(axis=0)

    def aligned(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """(M, N, K): what each of the M members gave, (N, K) in its own order of classes, in the ensemble's."""
        return np.stack([output[:, order] for output, order in zip(outputs, self._orders, strict=True)])

    def read(
        self,
        crops: np.ndarray,
        *,
        method: str | None = None,
        choose: Callable[[np.ndarray], np.ndarray] | None = None,
        tta: bool = False,
    ) -> Reading:
        """As `Classifier.read`, one pass a member. A heatmap is the mean of the members' maps for the one class that
        was chosen from the mean probabilities; each was scaled by its own maximum, so every member counts the same.
        Members that warp their input see different windows: there are `windows` only where there is one member."""
        if method is None:
            return Reading(self.probabilities(crops, tta=tta))
        told: list[np.ndarray] = []  # what each member makes of the crops, (N, K)
        found: list[Reading] = []

        def ask(number: int) -> np.ndarray:
            """Read with the members from this one on: the class to explain, (N,). Each waits, between its pass and its
            gradient, for those after it, because the class is chosen when all have told."""
            if number == len(self.members):
                probabilities = self.aligned(told).mean(axis=0)
                return choose(probabilities) if choose else probabilities.argmax(axis=1)
            order = self._orders[number]

            def member_choose(probabilities: np.ndarray) -> np.ndarray:
                told.append(probabilities)
                return order[ask(number + 1)]

            found.append(self.members[number].read(crops, method=method, choose=member_choose, tta=tta))
            return np.argsort(order)[found[-1].class_index]

        class_index = ask(0)
        heatmaps = np.mean([enlarge(reading.heatmaps, self.size_hw) for reading in found], axis=0)
        windows = found[0].windows if len(found) == 1 else None
        return Reading(self.aligned(told).mean(axis=0), heatmaps, class_index, windows)


def classifier_from_files(paths: Sequence[str | Path], **options: object) -> Classifier | Ensemble:
    """The classifier in one checkpoint (the shipped one where none is named), or the ensemble of several."""
    members = [Classifier.from_file(path, **options) for path in list(paths) or [None]]
    return members[0] if len(members) == 1 else Ensemble(members)
