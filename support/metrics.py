"""Scores of a whole split, in numpy: accuracy, F1, divergence, calibration, average precision, bootstrap intervals.

In:  probabilities (N, K) float, rows sum to 1; labels (N,) int; votes (N, K) float, rows sum to 1.
Out: plain numbers. Nothing here averages over batches: macro-F1 of two halves is not the mean of their macro-F1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

RESAMPLES = 2000
MANY_CLASSES = 10  # above so many the five most probable ones are scored, too
TINY = 1e-12  # keeps logarithms finite; far below any probability that matters


def softmax(logits: np.ndarray) -> np.ndarray:
    """(N, K) float logits -> (N, K) probabilities of the same dtype, whose rows sum to 1; N may be 0."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, *, classes: int) -> np.ndarray:
    """(K, K) int64: row = label, column = prediction."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def per_class(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """precision, recall, f1 (K,) float64 and support (K,) int64 from a confusion matrix; 0 where undefined."""
    true_positives, predicted, support = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    precision, recall = _divide(true_positives, predicted), _divide(true_positives, support)
    return {
        "precision": precision,
        "recall": recall,
        "f1": _divide(2 * precision * recall, precision + recall),
        "support": support,
    }


def accuracy(confusion: np.ndarray) -> float:
    """Share of the rows that are right."""
    return float(np.trace(confusion) / confusion.sum())


def balanced_accuracy(confusion: np.ndarray) -> float:
    """Mean recall of the classes that occur."""
    table = per_class(confusion)
    return float(table["recall"][table["support"] > 0].mean())


def macro_f1(confusion: np.ndarray, *, classes: Sequence[int] | np.ndarray | None = None) -> float:
    """Unweighted mean F1 of `classes` (indices); None: of the classes that occur. All rows and columns count."""
    table = per_class(confusion)
    return float(table["f1"][table["support"] > 0 if classes is None else list(classes)].mean())


def bootstrap_interval(
    confusion: np.ndarray, statistic: Callable[[np.ndarray], float], *, resamples: int = 1000
) -> tuple[float, float]:
    """95 % percentile bootstrap interval (Efron 1979) of a `statistic` of the confusion matrix (K, K) int.

    Sampling N faces with replacement fills the matrix as a multinomial sample of N from its cells does, so only the
    matrix is resampled. Faces count as independent: people who were photographed several times make it too narrow.
    Where all faces are right, or none is, the interval of an accuracy has no width.
    """
    n, rng, values = confusion.sum(), np.random.default_rng(0), []
    cells = np.union1d(np.flatnonzero(confusion), confusion.size - 1)  # the last one takes what the others leave
    for _ in range(resamples):
        matrix = np.zeros_like(confusion)
        matrix.flat[cells] = rng.multinomial(n, confusion.flat[cells] / n)
        values.append(statistic(matrix))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def mean_with_interval(values: np.ndarray) -> dict:
    """`mean`, `interval` [low, high] and `n` of (N,) values, N at least 1: percentile bootstrap over faces, 95 %."""
    values = np.asarray(values, np.float64)
    rng, n = np.random.default_rng(0), len(values)
    at_once = max(1, 1_000_000 // n)  # resamples, for memory's sake
    parts = [min(at_once, RESAMPLES - begin) for begin in range(0, RESAMPLES, at_once)]
    means = np.concatenate([values[rng.integers(0, n, (part, n))].mean(axis=1) for part in parts])
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(values.mean()), "interval": [float(low), float(high)], "n": n}


def kl_divergence(votes: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean over rows of KL(votes || probabilities) = sum_k v_k log(v_k / p_k), in nats."""
    return float(_kl_rows(votes, probabilities).mean())


def js_divergence(votes: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean Jensen-Shannon divergence in nats, 0 to log 2 (Lin 1991, eq. 4.1 with equal weights)."""
    middle = (votes + probabilities) / 2
    return float((_kl_rows(votes, middle) + _kl_rows(probabilities, middle)).mean() / 2)


def calibration_bins(labels: np.ndarray, probabilities: np.ndarray, *, bins: int = 15) -> dict[str, np.ndarray]:
    """Confidence against accuracy in equal-width bins: count, confidence, accuracy, each (bins,)."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    return {
        "count": count,
        "confidence": _divide(np.bincount(index, confidence, bins), count),
        "accuracy": _divide(np.bincount(index, correct, bins), count),
    }


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Sum over 15 bins of share x |accuracy - confidence| (Guo et al. 2017, eq. 3), 0 to 1."""
    table = calibration_bins(labels, probabilities)
    return float((table["count"] * np.abs(table["accuracy"] - table["confidence"])).sum() / max(len(labels), 1))


def score(labels: np.ndarray, probabilities: np.ndarray, votes: np.ndarray) -> dict[str, float]:
    """Every single-number score of one split, by name; above ten classes `top5_accuracy`, too."""
    classes = probabilities.shape[1]
    confusion = confusion_matrix(labels, probabilities.argmax(axis=1), classes=classes)
    table = per_class(confusion)
    top5 = {"top5_accuracy": top_accuracy(labels, probabilities, 5)} if classes > MANY_CLASSES else {}
    return {
        "n": len(labels),
        "correct": int(np.trace(confusion)),
        "accuracy": accuracy(confusion),
        **top5,
        "balanced_accuracy": balanced_accuracy(confusion),
        "macro_f1": macro_f1(confusion),
        "weighted_f1": float(np.average(table["f1"], weights=table["support"])),
        "kl": kl_divergence(votes, probabilities),
        "js": js_divergence(votes, probabilities),
        "ece": expected_calibration_error(labels, probabilities),
    }


def top_accuracy(labels: np.ndarray, probabilities: np.ndarray, count: int) -> float:
    """Share of the rows whose label is among the `count` most probable classes; of equals the first ones.

    A class of probability 0 is not among them: the network does not know it.
    """
    top = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    possible = np.take_along_axis(probabilities, top, axis=1) > 0
    return float(((top == labels[:, None]) & possible).any(axis=1).mean())


def roc_curve(scores: np.ndarray, hits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False-positive rate and true-positive rate, from (0, 0) to (1, 1), a point for each different score.

    scores: (N,) float. hits: (N,) bool, True and False both occurring.
    """
    true, false = _counts_above(scores, hits)
    return np.concatenate([[0.0], false / false[-1]]), np.concatenate([[0.0], true / true[-1]])


def precision_recall_curve(scores: np.ndarray, hits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision, from the highest score down, a point for each different score; as for `roc_curve`."""
    true, false = _counts_above(scores, hits)
    return true / true[-1], true / (true + false)


def area_under_roc(scores: np.ndarray, hits: np.ndarray) -> float:
    """The probability that a hit has a higher score than another row, equal scores counting half (Hanley 1982)."""
    x, y = roc_curve(scores, hits)
    return float(np.trapezoid(y, x))


def step_average_precision(scores: np.ndarray, hits: np.ndarray) -> float:
    """Sum of precision over the steps of recall, of a classifier's scores; no interpolation (unlike detections' AP)."""
    recall, precision = precision_recall_curve(scores, hits)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def _counts_above(scores: np.ndarray, hits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many hits, and how many others, have at least each of the different scores, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    return np.cumsum(hits[order])[last], np.cumsum(~hits[order])[last]


def average_precision(scores: np.ndarray, hits: np.ndarray, *, faces: int) -> float:
    """Area under precision over recall, with monotone precision, all points as in VOC from 2010 on.

    Everingham et al. 2015; their paper of 2010 still has eleven points. Here there is a point for each different score,
    so that the order of equal ones, which is that of the pictures, decides nothing.

    scores: (D,) float, of the detections. hits: (D,) bool, whether each matches a face. faces: how many there are.
    """
    if not len(scores):
        return 0.0
    true, false = _counts_above(scores, hits)
    recall, precision = np.concatenate([[0], true / faces]), true / (true + false)
    monotone = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall) * monotone).sum())


def _kl_rows(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    return (p * (np.log(p.clip(TINY)) - np.log(q.clip(TINY)))).sum(axis=1)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Elementwise, as float64; 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator != 0)
