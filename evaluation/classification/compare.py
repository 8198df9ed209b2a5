"""Is B better than A? Two networks on the same faces: python -m evaluation.classification --compare A B --data-path DIR

In:  the predictions of both, by face.
Out: the difference of accuracy and macro-F1 with paired bootstrap intervals, and McNemar's test; a dict and lines.

A and B are checkpoints, which are evaluated, or predictions.csv of earlier evaluations.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import binomtest

from evaluation.classification.predictions import Predictions
from support import UserError
from support.metrics import RESAMPLES, accuracy, confusion_matrix, macro_f1


def compare(first: Predictions, second: Predictions) -> dict:
    """n, the accuracy and macro-F1 of both, their differences (second - first) with 95 % intervals, and McNemar's test.

    The bootstrap is paired: faces are resampled, with both predictions of each. McNemar (1947), exact: of the faces
    that only one of the two gets right, is one side more often right than a fair coin would make it?
    Raises `UserError` where the faces or their labels are not the same, or a face is named twice.
    """
    rows = {name: row for row, name in enumerate(second.names)}
    for predictions in (first, second):
        if len(set(predictions.names)) < len(predictions.names):
            raise UserError(
                "one of the two names a face twice; keep one of each in the data set, and evaluate both again."
            )
    if sorted(first.names) != sorted(second.names):
        only = len(set(rows) ^ set(first.names))
        raise UserError(f"the two must be of the same faces, but {only:,} names are of one only; evaluate both alike.")
    order = [rows[name] for name in first.names]
    if (first.labels != second.labels[order]).any():
        raise UserError("the two have other labels for the same faces; evaluate both on the same data set.")
    names = np.unique(np.concatenate([first.labels, first.predicted, second.predicted]))
    labels, one, other = (np.searchsorted(names, v) for v in (first.labels, first.predicted, second.predicted[order]))
    found: dict = {"n": len(labels)}
    differences = paired_differences(labels, one, other, classes=len(names))
    for name, statistic in (("accuracy", accuracy), ("macro_f1", macro_f1)):
        before, after = (statistic(confusion_matrix(labels, p, classes=len(names))) for p in (one, other))
        interval = np.quantile(differences[name], [0.025, 0.975]).tolist()
        found[name] = {"first": before, "second": after, "difference": after - before, "interval": interval}
    only_first = int(((one == labels) & (other != labels)).sum())
    only_second = int(((one != labels) & (other == labels)).sum())
    unequal = only_first + only_second
    p_value = float(binomtest(only_second, unequal).pvalue) if unequal else 1.0
    return found | {"mcnemar": {"only_first_right": only_first, "only_second_right": only_second, "p": p_value}}


def paired_differences(
    labels: np.ndarray, one: np.ndarray, other: np.ndarray, *, classes: int
) -> dict[str, np.ndarray]:
    """accuracy and macro_f1 of `other` less those of `one`, (RESAMPLES,) each, in resamples of the faces (N,)."""
    rng, occurring = np.random.default_rng(0), np.unique(labels)
    found: dict[str, list[float]] = {"accuracy": [], "macro_f1": []}
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(labels), len(labels))
        matrices = [confusion_matrix(labels[rows], p[rows], classes=classes) for p in (one, other)]
        found["accuracy"].append(accuracy(matrices[1]) - accuracy(matrices[0]))
        found["macro_f1"].append(macro_f1(matrices[1], classes=occurring) - macro_f1(matrices[0], classes=occurring))
    return {name: np.array(values) for name, values in found.items()}


def comparison_lines(found: dict) -> Iterator[str]:
    """The comparison as text."""
    for letter, path, about in zip("AB", found["compared"], found["about"], strict=True):
        yield f"{letter}: {path}" + (", on {dataset} {split}: {protocol}".format(**about) if about else "")
    yield f"{found['n']:,} faces"
    for name, title in (("accuracy", "accuracy"), ("macro_f1", "macro-F1")):
        row = found[name]
        low, high = row["interval"]
        yield (
            f"{title:<10}A {row['first']:.3f}  B {row['second']:.3f}  B - A {row['difference']:+.3f}, "
            f"95 % interval {low:+.3f} to {high:+.3f}"
        )
    test = found["mcnemar"]
    yield (
        f"only A right: {test['only_first_right']:,}, only B right: {test['only_second_right']:,}; "
        f"McNemar's test p = {test['p']:.3g}"
    )
