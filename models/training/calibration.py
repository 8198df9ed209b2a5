"""Calibration after training, on validation logits: a temperature, and a bias for rare classes.

In:  logits (N, K) float and labels (N,) int of the validation split.
Out: T and b: softmax((logits + b) / T) estimates how likely each label is. The shares of a crowd's votes are estimated
     by the softmax of the logits alone.

The temperature makes confidence match accuracy (Guo et al. 2017, arXiv 1706.04599, section 4.2). The bias raises the
recall of rare classes, which a network that has seen few of them predicts too seldom.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from models.checkpoint import Checkpoint
from support.metrics import accuracy, confusion_matrix, macro_f1

TEMPERATURES = (0.05, 10.0)  # lowest and highest
TAUS = np.arange(101) / 100
ACCURACY_LOSS = 0.002  # accepted for a better macro-F1


def calibrate(
    checkpoint: Checkpoint, logits: np.ndarray, labels: np.ndarray, *, class_shares: np.ndarray
) -> Checkpoint:
    """`checkpoint` with the bias, and then the temperature, fitted to the logits and labels of its validation."""
    bias = fit_class_bias(logits, labels, class_shares)
    temperature = fit_temperature(logits + bias, labels)
    return dataclasses.replace(checkpoint, class_bias=tuple(bias.tolist()), temperature=temperature)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The T that minimises the negative log-likelihood of `labels`, which is convex in 1/T, by a search over log T."""

    def loss(log_t: float) -> float:
        return -float(log_softmax(logits / np.exp(log_t), axis=1)[np.arange(len(labels)), labels].mean())

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def fit_class_bias(logits: np.ndarray, labels: np.ndarray, class_shares: np.ndarray) -> np.ndarray:
    """(K,) float64 to be added to the logits: b = -tau log(class_shares), post-hoc logit adjustment.

    Menon et al. 2021, arXiv 2007.07314, eq. 9. Their guarantee does not hold here, because tau is chosen on validation
    data: of `TAUS`, the one of the highest macro-F1 among those that lose at most `ACCURACY_LOSS` of the accuracy at
    tau = 0; of equals the smallest.

    class_shares: (K,) float, how often the training showed each class; the bias of a class it never showed is 0.
    """
    shares = np.where(class_shares > 0, class_shares, class_shares.max())
    push = np.log(shares.max() / shares)  # 0 for the most frequent class: a constant changes no softmax
    best, best_f1, lowest_accuracy = 0.0, -1.0, 0.0
    for tau in TAUS:
        confusion = confusion_matrix(labels, (logits + tau * push).argmax(axis=1), classes=len(push))
        if tau == 0:
            lowest_accuracy = accuracy(confusion) - ACCURACY_LOSS - 1e-9  # a loss of exactly 0.002 is accepted
        if accuracy(confusion) >= lowest_accuracy and macro_f1(confusion) > best_f1:
            best, best_f1 = tau, macro_f1(confusion)
    return best * push
