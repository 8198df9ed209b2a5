"""Whether an expression network that computes in fewer bits, or in another memory layout, gives the same results.

In:  its results, and those in float32.
Out: whether they agree; pictures to try it on.
"""

from __future__ import annotations

import numpy as np

from support.heatmaps import to_unit_range
from support.metrics import softmax
from support.resize import resizing

# The most that a probability, and the heat of a cell, of a picture's most probable class may differ from float32's.
# bfloat16 on the 3,137 faces of FER+'s test split: 0.019 (median 0.001) and 0.03 (0.004); 3 labels differ.
PROBABILITY, HEAT = 0.02, 0.1
TRIAL = 8  # pictures


def agree(first: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Do logits (N, K) and maps (N, E, K, h, w) show the same as those in float32?"""
    rows, best = np.arange(len(first[0])), first[0].argmax(axis=1)
    probabilities = [softmax(logits) for logits, _ in (first, other)]
    heat = [to_unit_range(maps[rows, :, best].reshape(-1, *maps.shape[3:])) for _, maps in (first, other)]
    pairs = ((probabilities, PROBABILITY), (heat, HEAT))
    return all(bool((np.abs(one - another) <= bound).all()) for (one, another), bound in pairs)  # never so for NaN


def trial_pictures(size: int) -> np.ndarray:
    """(TRIAL, size, size, 3) uint8 RGB: smooth noise, always the same."""
    coarse = np.random.default_rng(0).integers(0, 256, (TRIAL, 3, 8, 8)).astype(np.float32)
    enlarge = resizing(8, size)
    return (enlarge @ coarse @ enlarge.T).round().astype(np.uint8).transpose(0, 2, 3, 1)
