"""Sums over time in bins that grow wider as time goes on, so that hours take the memory of minutes.

In:  values (R,) that hold for a stretch of time.
Out: their sums a bin, (B, R), B at most `BINS`.
"""

from __future__ import annotations

import numpy as np

BINS = 600  # even: two bins become one


class Timeline:
    """`sums`: (BINS, R) float64; bin i holds what lies in [i, i + 1) * `width`. width: seconds, doubled when full."""

    def __init__(self, rows: int, *, width: float) -> None:
        self.width = width
        self.sums = np.zeros((BINS, rows))

    def add(self, start: float, length: float, values: np.ndarray) -> None:
        """Spread `values` (R,) evenly over `length` from `start` on, both at least 0."""
        while start + length > BINS * self.width:
            self.coarsen()
        first, last = start / self.width, (start + length) / self.width
        low, high = min(int(first), BINS - 1), min(int(last), BINS - 1)
        if low == high:
            self.sums[low] += values
            return
        edges = np.arange(low, high + 2).clip(first, last)  # of the part of each bin that is covered
        self.sums[low : high + 1] += np.diff(edges)[:, None] * (values / (last - first))

    def coarsen(self) -> None:
        """Join every two bins into one of twice the width."""
        joined = self.sums.reshape(BINS // 2, 2, -1).sum(axis=1)
        self.sums = np.concatenate([joined, np.zeros_like(joined)])
        self.width *= 2


def width_for(end: float, *, width: float, most: int = BINS) -> float:
    """`width` times the power of two with which `most` bins reach to `end`."""
    while end > most * width:
        width *= 2
    return width
