"""Batches for training: the same for the same seed, also when a run is resumed or distributed.

In:  a `FaceSet`, an `Augment`.
Out: an iterator over (crops (B, S, S, 3) uint8 RGB, votes (B, K) float32).

The order of an epoch is random with the seed (seed, epoch), and the augmentation of a picture with the seed (seed,
epoch, row, how often the row has come before): a run that is resumed in the middle of an epoch, or split over several
processes, gets the batches of an uninterrupted one. Threads make the next batches while the current one is trained on,
and decode pictures that are not in memory; OpenCV and Pillow release Python's lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from data.augment import Augment, Keys, changed
from data.face_set import FaceSet
from support.columns.numbers import chunks
from support.columns.one_hot import weighted_mean

Batch = tuple[Any, Any]  # crops, votes: arrays, or tensors of a device (data/device/loader.py)
Made = TypeVar("Made")
PREFETCH = 4  # batches made before they are asked for


@dataclass(frozen=True)
class EpochLoader:
    """The batches of one epoch after another over `faces`, shuffled; the last, smaller batch of an epoch is left out.

    batch_size: faces a step over all processes, of which this one makes number `rank`, `rank + world_size`, ...
    balance: 0 shows every face once an epoch, 1 every class equally often; see `sampled_rows`.
    """

    faces: FaceSet
    augment: Augment
    batch_size: int
    seed: int = 0
    balance: float = 0.0
    rank: int = 0
    world_size: int = 1
    threads: int = 2

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self.faces) // self.batch_size

    @property
    def place(self) -> str:
        """Where pictures are augmented, in words."""
        return "pictures are augmented on the CPU"

    def class_shares(self) -> np.ndarray:
        """(K,) float64, sum 1: the mean of the votes over the faces that an epoch shows."""
        return weighted_mean(self.faces.votes, row_weights(self.faces.labels, self.balance))

    def epoch(self, epoch: int, *, size: int, first: int = 0) -> Generator[Batch, None, None]:
        """The batches `first`, `first + 1`, ... of `epoch`, augmented, pictures of `size` pixels a side."""
        yield from self.prefetched(lambda keys: self._make(keys, size), self.keys(epoch, first))

    def keys(self, epoch: int, first: int) -> Iterator[Keys]:
        """What each of these batches shows, of which this process has its share."""
        rows = sampled_rows(self.faces.labels, np.random.default_rng((self.seed, epoch)), balance=self.balance)
        # How often the same row stands before.
        times = pd.Series(rows).groupby(rows).cumcount().to_numpy() if self.balance else np.zeros(len(rows), np.uint8)
        for step in range(first, len(self)):
            share = slice(step * self.batch_size + self.rank, (step + 1) * self.batch_size, self.world_size)
            yield Keys(self.seed, epoch, rows[share], times[share])

    def prefetched(self, make: Callable[[Keys], Made], keys: Iterable[Keys]) -> Generator[Made, None, None]:
        """What `make` makes of each of `keys`, in threads, some ahead."""
        with ThreadPoolExecutor(self.threads) as pool:
            waiting: deque[Future[Made]] = deque()
            for key in keys:
                waiting.append(pool.submit(make, key))
                if len(waiting) > PREFETCH:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _make(self, keys: Keys, size: int) -> Batch:
        images = [self.faces.images[row] for row in keys.rows.tolist()]
        crops = [changed(*pair, size=size) for pair in zip(images, keys.changes(self.augment, size=size), strict=True)]
        return np.stack(crops), self.faces.votes[keys.rows]


def row_weights(labels: np.ndarray, balance: float) -> np.ndarray:
    """(N,) float64: n_c ** -balance for a row whose class has n_c rows."""
    classes = int(labels.max(initial=0)) + 1
    counts = np.sum([np.bincount(part, minlength=classes) for part in chunks(labels)], axis=0)
    return (np.maximum(counts, 1) ** -float(balance))[labels]


def sampled_rows(labels: np.ndarray, rng: np.random.Generator, *, balance: float) -> np.ndarray:
    """(N,) int, the rows that an epoch shows, in random order, for labels (N,) int.

    Rows are sampled in proportion to their `row_weights`, systematically (Madow 1949): how often a row comes, and how
    often a class, differs from its expectation by less than one. With balance 0 every row comes once.
    """
    order = np.arange(len(labels), dtype=np.uint32)  # half of what `rng.permutation` takes, in the same order
    rng.shuffle(order)
    if not balance:
        return order
    order = order[np.argsort(labels[order], kind="stable")]
    weights = row_weights(labels, balance)[order]
    marks = np.floor(np.cumsum(weights / weights.sum()) * len(labels) + rng.random())
    marks[-1] = len(labels)  # whatever the sum was rounded to
    return rng.permutation(np.repeat(order, np.diff(marks, prepend=0).astype(int)))
