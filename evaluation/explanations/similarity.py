"""How alike two maps are, and whether a face and its mirror image are explained alike.

In:  maps (N, h, w) float, a `ExplainedFaces`.
Out: (N,) float64: rank correlation in [-1, 1] (Spearman 1904), structural similarity (Wang et al. 2004); and how far
     all maps lie beside their place.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import Tensor

from evaluation.explanations.explained_faces import ExplainedFaces


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) float64: Spearman's coefficient of each pair of maps, ties at their mean rank; 0 where one is constant."""
    return correlation(*(pd.DataFrame(maps.reshape(len(maps), -1)).rank(axis=1).to_numpy() for maps in (a, b)))


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) float64: Pearson's coefficient of each pair of rows (N, ...); 0 where one is constant."""
    first, second = (rows.reshape(len(rows), -1).astype(np.float64) for rows in (a, b))
    first, second = (rows - rows.mean(axis=1, keepdims=True) for rows in (first, second))
    spread = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.divide((first * second).sum(axis=1), spread, out=np.zeros(len(spread)), where=spread > 0)


def structural_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) float64: SSIM of each pair of maps, whose values lie in [0, 1]."""
    from skimage.metrics import structural_similarity as ssim  # takes half a second to import

    return np.array([ssim(one, other, data_range=1.0) for one, other in zip(a, b, strict=True)])


def mirrored_maps(study: ExplainedFaces, method: str) -> Tensor:
    """(N, h, w): the maps of the mirrored faces for the classes predicted of the plain ones, mirrored back."""
    return study.explain(study.x.flip(3), study.predicted, method).flip(2)


def displacement(maps: np.ndarray, mirrored: np.ndarray) -> float:
    """How many pixels `maps` (N, h, w) lie to the right of where they belong, to half a pixel.

    mirrored: those of the mirrored faces, mirrored back, which lie as far to the left. Twice the displacement is the
    shift at which the two agree best, by their mean correlation; at most a quarter of the width.
    """
    width = maps.shape[2]

    def agreement(shift: int) -> float:
        right, left = maps[:, :, max(shift, 0) : width + min(shift, 0)], mirrored[:, :, max(-shift, 0) :]
        return correlation(right, left[:, :, : right.shape[2]]).mean()

    return max(range(-width // 2, width // 2 + 1), key=agreement) / 2
