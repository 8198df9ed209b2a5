"""The pointing game with two faces: asked for the expression of one, does the heatmap peak on that one?

In:  a `ExplainedFaces`.
Out: for each pair of faces side by side in one input, how often the peak fell on the face asked for, and the share of
     heat that lay on it.

After Zhang et al. 2018 (arXiv 1608.00507), section 4.1, with whole faces as objects; the share of heat is the
energy-based game of Wang et al. 2020 (arXiv 1910.01279, eq. 9). A pair is two faces that the network reads rightly, and
differently; it is asked for both, so that a map that ignores the class scores one half, wherever it peaks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evaluation.explanations.explained_faces import ExplainedFaces


@dataclass(frozen=True, eq=False)
class Answers:
    """Of P pairs: hits (P,) float64, 0, 0.5 or 1; energy (P,) float64; maps (2, P, h, 2 w): for the left, the right."""

    hits: np.ndarray
    energy: np.ndarray
    maps: Tensor


def pairs_of(study: ExplainedFaces, *, seed: int = 0) -> np.ndarray:
    """(P, 2) int64: rows of the study, each in one pair at most, both read rightly and as different expressions."""
    right = torch.nonzero(study.predicted == study.labels)[:, 0].cpu().numpy()
    order = np.random.default_rng(seed).permutation(right)
    left, other = order[: len(order) // 2], order[len(order) // 2 : len(order) // 2 * 2]
    labels = study.labels.cpu().numpy()
    return np.stack([left, other], axis=1)[labels[left] != labels[other]]


def side_by_side(x: Tensor, pairs: np.ndarray) -> Tensor:
    """(P, C, h, 2 w): the faces of each pair in one picture, each as it was normalised on its own."""
    return torch.cat([x[pairs[:, 0]], x[pairs[:, 1]]], dim=3)


def play(study: ExplainedFaces, pairs: np.ndarray, method: str) -> Answers:
    """Ask `method` for the expression of either face of every pair; a map that is as hot on the other one misses."""
    x, width = side_by_side(study.x, pairs), study.x.shape[3]
    maps, hits, energy = [], [], []
    for side in (0, 1):
        heat = study.explain(x, study.labels[pairs[:, side]], method)
        halves = heat[:, :, :width], heat[:, :, width:]
        asked, other = halves[side], halves[1 - side]
        hits.append(asked.amax(dim=(1, 2)) > other.amax(dim=(1, 2)))
        energy.append(asked.sum(dim=(1, 2)) / heat.sum(dim=(1, 2)).clamp(min=torch.finfo(heat.dtype).tiny))
        maps.append(heat)
    means = [torch.stack(values).double().mean(dim=0).cpu().numpy() for values in (hits, energy)]
    return Answers(*means, torch.stack(maps))
