"""Linear resizing as a matrix, for arrays: what torch's interpolate does for tensors.

In:  how many samples there are, how many are wanted.
Out: the matrix between them, to be multiplied from the left for rows and, transposed, from the right for columns.
"""

from __future__ import annotations

import functools

import numpy as np


@functools.lru_cache(maxsize=64)
def resizing(inputs: int, outputs: int) -> np.ndarray:
    """(outputs, inputs) float32, read-only; each row sums to 1.

    Output i lies at x = (i + 1/2) s with s = inputs / outputs, and is the mean of the inputs j + 1/2 around it,
    weighted by the triangle max(0, 1 - |x - (j + 1/2)| / max(s, 1)): torch's "bilinear" with `antialias=True`, which
    enlarges as the one without does. Counted in float32, as torch counts; in float64 they would differ by 1e-5.
    """
    half, one = np.float32(0.5), np.float32(1)
    step = np.float32(inputs) / np.float32(outputs)
    centre = step * (np.arange(outputs, dtype=np.float32)[:, None] + half)
    distance = np.abs(np.arange(inputs, dtype=np.float32) - centre + half)  # (outputs, inputs)
    weights = np.maximum(0, one - distance * (one / max(step, one)))
    matrix = weights / weights.sum(axis=1, keepdims=True)
    matrix.flags.writeable = False
    return matrix
