"""How similar two heatmaps are, and whether a face and its mirror image are explained alike.

In:  maps (N, h, w) float, `ExplainedFaces`.
Out: (N,) float64: rank correlation in [-1, 1] (Spearman 1904), structural similarity (Wang et al. 2004); and by how
     many pixels all heatmaps are displaced.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from evaluation.explanations.explained_faces import ExplainedFaces

WINDOW = 7  # pixels a side, of structural similarity
C1, C2 = 0.01**2, 0.03**2  # Wang et al. 2004, eq. 7 and 10, for values in [0, 1]


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

    Over uniform windows of `WINDOW` pixels that lie inside the map, with sample variances. Maps of fewer pixels a side
    are refused with RuntimeError.
    """
    x, y = (torch.as_tensor(maps, dtype=torch.float64)[:, None] for maps in (a, b))
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    var_x, var_y = (unbiased * (_window_mean(v * v) - mean**2) for v, mean in ((x, mean_x), (y, mean_y)))
    covariance = unbiased * (_window_mean(x * y) - mean_x * mean_y)
    numerator = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    denominator = (mean_x**2 + mean_y**2 + C1) * (var_x + var_y + C2)
    return (numerator / denominator).mean(dim=(1, 2, 3)).numpy()


def _window_mean(values: Tensor) -> Tensor:
    return avg_pool2d(values, WINDOW, stride=1)


def mirrored_heatmaps(faces: ExplainedFaces, methods: Sequence[str]) -> dict[str, Tensor]:
    """(N, h, w) by explainer: heatmaps of the mirrored faces, mirrored back, for the classes predicted unmirrored."""
    heatmaps = faces.explain(faces.x.flip(3), faces.predicted, methods)
    return {method: maps.flip(2) for method, maps in heatmaps.items()}


def displacement(maps: np.ndarray, mirrored: np.ndarray) -> float:
    """Pixels by which `maps` (N, h, w) are displaced to the right, in steps of half a pixel.

    mirrored: those of the mirrored faces, mirrored back, which are displaced as far to the left. Twice the displacement
    is the shift at which the two have the highest mean correlation; at most a quarter of the width.
    """
    width = maps.shape[2]

    def agreement(shift: int) -> float:
        right, left = maps[:, :, max(shift, 0) : width + min(shift, 0)], mirrored[:, :, max(-shift, 0) :]
        return float(correlation(right, left[:, :, : right.shape[2]]).mean())

    return max(range(-width // 2, width // 2 + 1), key=agreement) / 2
