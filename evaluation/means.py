"""Means over faces with their intervals.

In:  one number a face.
Out: mean, 95 % interval and count, plain values.
"""

from __future__ import annotations

import numpy as np

DRAWS = 2000


def mean_of(values: np.ndarray, *, seed: int = 0) -> dict[str, float | int | list[float]]:
    """`mean`, `interval` and `n` of (N,) values, N at least 1: percentile bootstrap over faces (Efron 1979), 95 %."""
    values = np.asarray(values, np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(values), (DRAWS, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return {"mean": float(values.mean()), "interval": [float(low), float(high)], "n": len(values)}
