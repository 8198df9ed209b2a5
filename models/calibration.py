"""Temperature scaling (Guo et al. 2017, arXiv 1706.04599, section 4.2): one number that makes confidence honest.

In:  logits (N, K) float and labels (N,) int of the validation split.
Out: the temperature T by which logits are divided before softmax.
"""

from __future__ import annotations

import numpy as np

GOLDEN = (np.sqrt(5) - 1) / 2


def fit_temperature(logits: np.ndarray, labels: np.ndarray, *, lowest: float = 0.05, highest: float = 10.0) -> float:
    """The T that minimises the negative log-likelihood of `labels`, by golden-section search over log T.

    The likelihood is unimodal in 1/T, so the search finds its one minimum, to 1e-4 of its value.
    """
    low, high = np.log(lowest), np.log(highest)
    while high - low > 1e-4:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if negative_log_likelihood(logits / np.exp(left), labels) < negative_log_likelihood(
            logits / np.exp(right), labels
        ):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over rows of -log softmax(logits)[label], in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return float((log_sum - shifted[np.arange(len(labels)), labels]).mean())
