"""What is fitted on validation logits after training: a temperature, and a bias for the rare classes.

In:  logits (N, K) float and labels (N,) int of the validation split.
Out: T and b, with which a label is as likely as softmax((logits + b) / T) says. The shares of a crowd's votes are the
     softmax of the logits alone.

The temperature makes confidence honest (Guo et al. 2017, arXiv 1706.04599, section 4.2). The bias lets rare classes be
named: a network that has seen few of a class names it too seldom to be right about it as often as about the others.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from models.checkpoint import Checkpoint

GOLDEN = (np.sqrt(5) - 1) / 2
TAUS = np.arange(101) / 100
MAY_LOSE = 0.002  # of the accuracy, for a better macro-F1


def calibrated(
    checkpoint: Checkpoint, logits: np.ndarray, labels: np.ndarray, *, class_shares: np.ndarray
) -> Checkpoint:
    """`checkpoint` with the bias and then the temperature that its validation's logits and labels ask for."""
    bias = fit_class_bias(logits, labels, class_shares)
    return dataclasses.replace(
        checkpoint, class_bias=tuple(bias.tolist()), temperature=fit_temperature(logits + bias, labels)
    )


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


def fit_class_bias(logits: np.ndarray, labels: np.ndarray, class_shares: np.ndarray) -> np.ndarray:
    """(K,) float64 to be added to the logits: b = -tau log(class_shares), post-hoc logit adjustment.

    Menon et al. 2021, arXiv 2007.07314, eq. 9, without their guarantee, as tau is chosen here: of `TAUS`, that of the
    highest macro-F1 among those that name at most 0.2 points fewer faces right than tau = 0; of equals the smallest.

    class_shares: (K,) float, how often the training showed each class; a class that it never showed is left as it is.
    """
    shares = np.where(class_shares > 0, class_shares, class_shares.max())
    push = np.log(shares.max() / shares)  # 0 for the most frequent class: a constant changes no softmax
    best, best_f1, enough = 0.0, -1.0, 0.0
    for tau in TAUS:
        accuracy, macro_f1 = _accuracy_and_macro_f1(labels, (logits + tau * push).argmax(axis=1), len(push))
        if tau == 0:
            enough = accuracy - MAY_LOSE - 1e-9  # exactly 0.2 points are allowed
        if accuracy >= enough and macro_f1 > best_f1:
            best, best_f1 = tau, macro_f1
    return best * push


def _accuracy_and_macro_f1(labels: np.ndarray, named: np.ndarray, classes: int) -> tuple[float, float]:
    """As in support.metrics, which this layer cannot see: F1 is averaged over the classes that occur."""
    hits = np.bincount(labels[labels == named], minlength=classes)
    support = np.bincount(labels, minlength=classes)
    f1 = 2 * hits / np.maximum(support + np.bincount(named, minlength=classes), 1)
    return hits.sum() / len(labels), f1[support > 0].mean()
