"""One-hot rows that are made when they are asked for: a million faces of a thousand classes would take 4 GB.

In:  labels.
Out: float32 rows with a 1 in the label's column.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from support.columns.numbers import chunks

DENSE = 2**20  # values (4 MB) up to which rows are simply made


class OneHot:
    """(N, K) float32, as an array has it for what training does: rows by an index, `len`, `shape`, `argmax`."""

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, labels: np.ndarray, classes: int) -> None:
        self.labels, self.shape = labels, (len(labels), classes)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Rows, made; [rows, columns] as of an array."""
        rows, *columns = index if isinstance(index, tuple) else (index,)
        if columns:
            return np.equal(self.labels[rows], columns[0]).astype(np.float32)
        return np.equal.outer(self.labels[rows], np.arange(self.shape[1])).astype(np.float32)

    def rows(self, index: np.ndarray) -> OneHot:
        """Some rows, not made yet."""
        return OneHot(self.labels[index], self.shape[1])

    def argmax(self, axis: int) -> np.ndarray:
        """(N,) int: the labels; axis must be 1."""
        return self.labels

    def sum(self, axis: int, dtype: Any = np.float32) -> np.ndarray:
        """(K,) how often each label stands, or (N,) ones."""
        counts = np.bincount(self.labels, minlength=self.shape[1]) if axis == 0 else np.ones(len(self))
        return counts.astype(dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[slice(None)].astype(dtype or np.float32)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(N, K) float32 with a 1 in the label's column; where it is large a `OneHot`, which stands for it."""
    if len(labels) * classes <= DENSE:
        return np.eye(classes, dtype=np.float32)[labels]
    return cast(np.ndarray, OneHot(labels, classes))  # what training asks of an array, it has


def take(votes: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The rows at `index` of votes (N, K); of a `OneHot` again one."""
    return votes.rows(index) if isinstance(votes, OneHot) else votes[index]


def weighted_mean(votes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(K,) float64: the mean of the rows (N, K), weighted by (N,)."""
    if isinstance(votes, OneHot):
        sums = np.zeros(votes.shape[1])
        for labels, some in zip(chunks(votes.labels), chunks(weights), strict=True):
            np.add.at(sums, labels, some)  # as np.bincount, which makes all labels int64
        return sums / weights.sum()
    return np.average(votes, axis=0, weights=weights)
