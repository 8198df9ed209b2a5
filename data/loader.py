"""Batches for training: the same ones for the same seed, whoever asks and whenever it resumes.

In:  a `FaceSet` in memory, an `Augment`.
Out: an iterator over (crops (B, S, S, 3) uint8 RGB, votes (B, K) float32).

Every epoch's order is drawn from a generator seeded by (seed, epoch), and every picture's change by (seed, epoch, row,
how often the row has come): a run that is resumed in the middle, or split over several processes, sees what an
uninterrupted one sees. The next batches are made in threads while the current one trains; OpenCV works outside Python's
lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from data.augment import Augment
from data.face_set import FaceSet

AHEAD = 4  # batches made before they are asked for


@dataclass(frozen=True)
class Batches:
    """An endless shuffled deck over `faces`; the last, smaller batch of an epoch is left out.

    batch_size: faces a step over all processes, of which this one, number `rank` of `ranks`, makes every `ranks`-th.
    balance: 0 shows every face once an epoch, 1 every class equally often, see `drawn`.
    """

    faces: FaceSet
    augment: Augment
    batch_size: int
    seed: int = 0
    balance: float = 0.0
    rank: int = 0
    ranks: int = 1
    threads: int = 2

    def __len__(self) -> int:
        return len(self.faces) // self.batch_size

    def class_shares(self) -> np.ndarray:
        """(K,) float64: the mean of the votes over what an epoch shows."""
        return np.average(self.faces.votes, axis=0, weights=row_weights(self.faces.labels, self.balance))

    def epoch(self, epoch: int, *, size: int, first: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches `first`, `first + 1`, ... of `epoch`, pictures changed and brought to `size` pixels."""
        rows = drawn(self.faces.labels, np.random.default_rng((self.seed, epoch)), balance=self.balance)
        times = np.array(occurrences(rows))
        with ThreadPoolExecutor(self.threads) as pool:
            waiting: deque = deque()
            for step in range(first, len(self)):
                share = slice(step * self.batch_size + self.rank, (step + 1) * self.batch_size, self.ranks)
                waiting.append(pool.submit(self._make, rows[share], times[share], epoch, size))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _make(self, rows: np.ndarray, times: np.ndarray, epoch: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        crops = [
            self.augment(self.faces.images[row], np.random.default_rng((self.seed, epoch, row, time)), size=size)
            for row, time in zip(rows, times, strict=True)
        ]
        return np.stack(crops), self.faces.votes[rows]


def row_weights(labels: np.ndarray, balance: float) -> np.ndarray:
    """(N,) float64: n_c ** -balance for a row whose class has n_c rows."""
    return np.bincount(labels)[labels] ** -float(balance)


def drawn(labels: np.ndarray, rng: np.random.Generator, *, balance: float) -> np.ndarray:
    """N row numbers in random order, for N labels (N,) int: which faces an epoch shows.

    Rows come in proportion to their `row_weights`. How often a row comes, and how often a class, differs from its
    expectation by less than one (systematic sampling, Madow 1949), so that with balance 0 every row comes once.
    """
    order = rng.permutation(len(labels))
    if not balance:
        return order
    order = order[np.argsort(labels[order], kind="stable")]
    weights = row_weights(labels, balance)[order]
    marks = np.floor(np.cumsum(weights / weights.sum()) * len(labels) + rng.random())
    marks[-1] = len(labels)  # whatever the sum was rounded to
    return rng.permutation(np.repeat(order, np.diff(marks, prepend=0).astype(int)))


def occurrences(rows: np.ndarray) -> list[int]:
    """For each entry, how often the same row stands before it."""
    seen: dict[int, int] = {}
    times = []
    for row in rows.tolist():
        times.append(seen.get(row, 0))
        seen[row] = times[-1] + 1
    return times
