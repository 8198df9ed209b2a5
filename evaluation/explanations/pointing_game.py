"""The pointing game with two faces: for the class of one of them, does the heatmap peak on that face?

In:  `ExplainedFaces`.
Out: for each pair of faces side by side in one input, how often the peak lies on the target face, and the share of the
     heatmap that lies on it.

After Zhang et al. 2018 (arXiv 1608.00507), section 4.1, with whole faces as objects; the share is the energy-based
pointing game of Wang et al. 2020 (arXiv 1910.01279). A pair is two faces that are classified correctly, as different
classes. Each is the target once, so a heatmap that ignores the class scores 0.5 wherever it peaks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evaluation.explanations.explained_faces import ExplainedFaces


@dataclass(frozen=True, eq=False)
class PointingResult:
    """Of P pairs: hits (P,) float64, 0, 0.5 or 1; energy (P,) float64, the share of the heatmap on the target.

    maps: (2, P, h, 2 w) float32, the heatmaps with the left face as target, and with the right one.
    """

    hits: np.ndarray
    energy: np.ndarray
    maps: Tensor


def sample_pairs(faces: ExplainedFaces, *, seed: int = 0) -> np.ndarray:
    """(P, 2) int64: rows of the faces, each in at most one pair, both classified correctly, as different classes."""
    correct = torch.nonzero(faces.predicted == faces.labels)[:, 0].cpu().numpy()
    order = np.random.default_rng(seed).permutation(correct)
    half = len(order) // 2
    left, right = order[:half], order[half : 2 * half]
    labels = faces.labels.cpu().numpy()
    return np.stack([left, right], axis=1)[labels[left] != labels[right]]


def play(faces: ExplainedFaces, pairs: np.ndarray, method: str) -> PointingResult:
    """Explain every pair for the label of either face; a peak that is as high on the other face is no hit."""
    x, width = torch.cat([faces.x[pairs[:, 0]], faces.x[pairs[:, 1]]], dim=3), faces.x.shape[3]  # (P, C, h, 2 w)
    maps, hits, energy = [], [], []
    for side in (0, 1):
        heatmaps = faces.explain(x, faces.labels[pairs[:, side]], [method])[method]
        halves = heatmaps[:, :, :width], heatmaps[:, :, width:]
        target, other = halves[side], halves[1 - side]
        hits.append(target.amax(dim=(1, 2)) > other.amax(dim=(1, 2)))
        total = heatmaps.sum(dim=(1, 2)).clamp(min=torch.finfo(heatmaps.dtype).tiny)
        energy.append(target.sum(dim=(1, 2)) / total)
        maps.append(heatmaps)
    hit, share = (torch.stack(values).cpu().double().mean(dim=0).numpy() for values in (hits, energy))
    return PointingResult(hit, share, torch.stack(maps))
