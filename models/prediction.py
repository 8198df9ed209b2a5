"""Prediction: the probabilities of crops, and heatmaps that explain them, on request.

In:  one forward pass of a network, or those of an ensemble's members.
Out: probabilities (N, K) float32; heatmaps (N, h, w) float32 in [0, 1] of any class, by any explainer. All are arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gradcam import ForwardPass, enlarge

if TYPE_CHECKING:
    from gradcam import Array

ClassIndex = int | Sequence[int] | np.ndarray | None


class NetworkPrediction:
    """That of one network for N crops: `probabilities` (N, K) float32, rows sum to 1, and `logits` (N, K) float32.

    passed: the pass of N crops; with `tta` of 2N, the second half their mirror images. Probabilities and heatmaps (the
    mirror images' turned back) are then the mean of both; logits and windows are those of the crops.
    """

    def __init__(self, passed: ForwardPass, to_probabilities: Callable[[np.ndarray], np.ndarray], *, tta: bool) -> None:
        self._passed, self._tta = passed, tta
        logits = to_array(passed.logits)
        self._count = len(logits) // 2 if tta else len(logits)
        self.logits = logits[: self._count]
        rows = to_probabilities(logits)
        self.probabilities = (rows[: self._count] + rows[self._count :]) / 2 if tta else rows

    @property
    def windows(self) -> np.ndarray | None:
        """(N, 4, 2) float32, pixels of the heatmaps: the part of each crop that a warping network saw; else None."""
        windows = self._passed.windows
        return None if windows is None else to_array(windows)[: self._count]

    def heatmaps(self, class_index: ClassIndex = None, method: str = "gradcam") -> np.ndarray:
        """(N, h, w) float32 in [0, 1]: what was used for a class, one for all crops or (N,) int.

        class_index: left out, each row's most probable class. method: a key of `gradcam.EXPLAINERS`.
        """
        index = self.probabilities.argmax(axis=1) if class_index is None else class_index
        rows = np.broadcast_to(np.asarray(index, np.int64), self._count)
        heatmaps = to_array(self._passed.heatmaps(np.tile(rows, 2 if self._tta else 1), method))
        return (heatmaps[: self._count] + heatmaps[self._count :, :, ::-1]) / 2 if self._tta else heatmaps


class EnsemblePrediction:
    """That of several networks.

    members: one prediction each. orders: (K,) int each, the indices of the ensemble's classes among a member's.
    A heatmap is the mean of the members' maps for the one class asked for; each was divided by its own highest cell, so
    that members count about the same. Members that warp their input see different windows: there are `windows` only of
    a single member.
    """

    def __init__(
        self, members: Sequence[NetworkPrediction], orders: Sequence[np.ndarray], *, size_hw: tuple[int, int]
    ) -> None:
        self._members, self._orders, self._size_hw = members, orders, size_hw
        rows = [member.probabilities[:, order] for member, order in zip(members, orders, strict=True)]
        self.probabilities = np.mean(rows, axis=0)

    @property
    def windows(self) -> np.ndarray | None:
        """As `NetworkPrediction.windows`."""
        return self._members[0].windows if len(self._members) == 1 else None

    def heatmaps(self, class_index: ClassIndex = None, method: str = "gradcam") -> np.ndarray:
        """As `NetworkPrediction.heatmaps`."""
        index = self.probabilities.argmax(axis=1) if class_index is None else np.asarray(class_index)
        if np.min(index, initial=0) < 0:  # `order` would count from its end
            raise IndexError(f"class_index must lie in 0 to {self.probabilities.shape[1] - 1}, got {index.tolist()}")
        members = zip(self._members, self._orders, strict=True)
        maps = [enlarge(member.heatmaps(order[index], method), self._size_hw) for member, order in members]
        return np.mean(maps, axis=0)


def to_array(values: Array) -> np.ndarray:
    """An array as it is; a tensor, wherever it lies, as a float32 array."""
    return values if isinstance(values, np.ndarray) else values.detach().float().cpu().numpy()
