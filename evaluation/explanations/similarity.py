"""How similar two heatmaps are, and whether a face and its mirror image are explained alike.

In:  maps (N, h, w) float, `ExplainedFaces`.
Out: (N,) float64: rank correlation in [-1, 1] (Spearman 1904), structural similarity (Wang et al. 2004); and by how
     many pixels all heatmaps are displaced.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import skimage.metrics
from torch import Tensor

from evaluation.explanations.explained_faces import ExplainedFaces


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) float64: Spearman's coefficient of each pair of maps, ties at their mean rank; 0 where one is constant."""
    first, second = (pd.DataFrame(maps.reshape(len(maps), -1)).rank(axis=1).to_numpy() for maps in (a, b))
    return correlation(first, second)


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) float64: Pearson's coefficient of each pair of rows (N, ...); 0 where one is constant."""
    first, second = (rows.reshape(len(rows), -1).astype(np.float64) for rows in (a, b))
    first, second = (rows - rows.mean(axis=1, keepdims=True) for rows in (first, second))
    norm = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.divide((first * second).sum(axis=1), norm, out=np.zeros(len(norm)), where=norm > 0)


def structural_similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) float64: mean SSIM (Wang et al. 2004, eq. 13) of each pair of maps with values in [0, 1].

    Over uniform windows of 7 pixels that lie inside the map, with sample variances. Maps of fewer pixels a side are
    refused with ValueError.
    """
    pairs = zip(a.astype(np.float64), b.astype(np.float64), strict=True)
    return np.array([skimage.metrics.structural_similarity(*pair, data_range=1.0) for pair in pairs])


def mirrored_heatmaps(faces: ExplainedFaces, methods: Sequence[str]) -> dict[str, Tensor]:
    """(N, h, w) by explainer: heatmaps of the mirrored faces, mirrored back, for the classes predicted unmirrored."""
    heatmaps = faces.explain(faces.x.flip(3), faces.predicted, methods)
    return {method: maps.flip(2) for method, maps in heatmaps.items()}


def displacement(maps: np.ndarray, mirrored: np.ndarray) -> float:
    """Pixels by which `maps` (N, h, w) are displaced to the right, in steps of half a pixel.

    mirrored: those of the mirrored faces, mirrored back, which are displaced as far to the left. Twice the displacement
    is the shift at which the two have the highest mean correlation, the least of equal ones; at most a quarter of the
    width.
    """
    width = maps.shape[2]
    half = width // 2

    def agreement(shift: int) -> float:
        right, left = maps[:, :, max(shift, 0) : width + min(shift, 0)], mirrored[:, :, max(-shift, 0) :]
        return float(correlation(right, left[:, :, : right.shape[2]]).mean())

    return max(range(-half, half + 1), key=lambda shift: (agreement(shift), -abs(shift))) / 2
