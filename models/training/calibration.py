"""Calibration after training, on validation logits: temperatures, a bias for rare classes, how much prior to take out.

In:  logits (N, K) float; labels (N,) int, votes (N, K) of the validation split; how often training showed each class.
Out: T and b: softmax((logits + b) / T) estimates how likely each label is. T_c: softmax(logits / T_c) estimates the
     shares of a crowd's votes. tau: the same with the bias -tau log(class prior) where the prior is to be taken out.

The temperatures make confidence match accuracy (Guo et al. 2017, arXiv 1706.04599, section 4.2) and shares match votes.
The bias raises the recall of rare classes, which a network that has seen few of them predicts too seldom. Few faces, or
a search that ends at its bound, fit nothing: the network then stays as it is, and that is said.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from models.checkpoint import Checkpoint, prior_push
from support import notify
from support.metrics import accuracy, balanced_accuracy, confusion_matrix, macro_f1

TEMPERATURES = (0.05, 10.0)  # lowest and highest
FEWEST_FACES = 100  # the deviation of a fitted temperature is about a tenth there
TAUS = np.arange(101) / 100
FEWEST_OF_A_CLASS = 25  # faces from which on a class has a say in how much of the prior is taken out
ACCURACY_LOSS = 0.002  # accepted for a better macro-F1


def calibrate(
    checkpoint: Checkpoint, logits: np.ndarray, labels: np.ndarray, votes: np.ndarray, *, class_shares: np.ndarray
) -> Checkpoint:
    """`checkpoint` with all that is fitted to the logits, labels and votes of its validation.

    What could not be fitted stays neutral and is told, a sentence each, in `scores["not_calibrated"]`.
    """
    known = dataclasses.replace(
        checkpoint,
        class_bias=(0.0,) * len(checkpoint.class_names),
        temperature=1.0,
        crowd_temperature=1.0,
        class_prior=tuple(float(share) for share in class_shares / class_shares.sum()),
        prior_tau=0.0,
    )
    if len(labels) < FEWEST_FACES:
        doubts = [
            f"{len(labels)} faces are too few to fit a temperature, a class bias or tau: {FEWEST_FACES} are wanted"
        ]
        return dataclasses.replace(known, scores=checkpoint.scores | {"not_calibrated": doubts})
    bias = fit_class_bias(logits, labels, class_shares)
    temperature, crowd_temperature = fit_temperature(logits + bias, labels), fit_temperature(logits, votes)
    doubts = [
        f"the {what} would be {value:.2g}, the end of its range, and is left at 1"
        for what, value in (("temperature", temperature), ("crowd_temperature", crowd_temperature))
        if at_bound(value)
    ]
    return dataclasses.replace(
        known,
        class_bias=tuple(bias.tolist()),
        temperature=1.0 if at_bound(temperature) else temperature,
        crowd_temperature=1.0 if at_bound(crowd_temperature) else crowd_temperature,
        prior_tau=fit_prior_tau(logits, labels, class_shares),
        scores=checkpoint.scores | ({"not_calibrated": doubts} if doubts else {}),
    )


def tell_doubts(checkpoint: Checkpoint) -> None:
    """Say what `calibrate` could not fit."""
    for doubt in checkpoint.scores.get("not_calibrated", ()):
        notify(f"not calibrated: {doubt}")


def fit_temperature(logits: np.ndarray, target: np.ndarray) -> float:
    """The T that minimises the cross-entropy of softmax(logits / T), which is convex in 1/T, by a search over log T.

    target: labels (N,) int, or votes (N, K) float, whose rows sum to 1.
    """
    votes = np.eye(logits.shape[1])[target] if target.ndim == 1 else target

    def loss(log_t: float) -> float:
        return -float((votes * log_softmax(logits / np.exp(log_t), axis=1)).sum(axis=1).mean())

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def at_bound(temperature: float) -> bool:
    """Is that the end of the range that was searched, so that the best T lies beyond, or nowhere?"""
    low, high = TEMPERATURES
    return not 1.01 * low < temperature < high / 1.01


def fit_prior_tau(logits: np.ndarray, labels: np.ndarray, class_shares: np.ndarray) -> float:
    """The tau of `TAUS` for which the bias -tau log(class_shares) gives the highest balanced accuracy, the mean recall
    of the classes that occur; of equals the smallest. Balanced accuracy does not depend on how frequent classes are.

    Classes of fewer than `FEWEST_OF_A_CLASS` faces do not count, where at least half of the classes have as many: the
    standard error of such a recall is ten points, and a few faces more or less would decide for all others.
    """
    push = prior_push(class_shares)
    frequent = np.bincount(labels, minlength=len(push)) >= FEWEST_OF_A_CLASS
    counted = frequent[labels] if 2 * frequent.sum() >= len(push) else np.full(len(labels), True)
    recalls = [
        balanced_accuracy(
            confusion_matrix(labels[counted], (logits[counted] + tau * push).argmax(axis=1), classes=len(push))
        )
        for tau in TAUS
    ]
    return float(TAUS[int(np.argmax(recalls))])


def fit_class_bias(logits: np.ndarray, labels: np.ndarray, class_shares: np.ndarray) -> np.ndarray:
    """(K,) float64 to be added to the logits: b = -tau log(class_shares), post-hoc logit adjustment.

    Menon et al. 2021, arXiv 2007.07314, eq. 9. Their guarantee does not hold here, because tau is chosen on validation
    data: of `TAUS`, the one of the highest macro-F1 among those that lose at most `ACCURACY_LOSS` of the accuracy at
    tau = 0; of equals the smallest.

    class_shares: (K,) float, how often the training showed each class; the bias of a class it never showed is 0.
    """
    push = prior_push(class_shares)
    best, best_f1, lowest_accuracy = 0.0, -1.0, 0.0
    for tau in TAUS:
        confusion = confusion_matrix(labels, (logits + tau * push).argmax(axis=1), classes=len(push))
        if tau == 0:
            lowest_accuracy = accuracy(confusion) - ACCURACY_LOSS - 1e-9  # a loss of exactly 0.002 is accepted
        if accuracy(confusion) >= lowest_accuracy and macro_f1(confusion) > best_f1:
            best, best_f1 = tau, macro_f1(confusion)
    return best * push
