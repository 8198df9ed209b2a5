"""Batches for training: the same ones for the same seed, whoever asks and whenever it resumes.

In:  a `FaceSet` in memory, an `Augment`.
Out: an iterator over (crops (B, S, S, 3) uint8 RGB, votes (B, K) float32).

Every picture's change is drawn from a generator seeded by (seed, epoch, row), and every epoch's order by (seed,
epoch): a run that is resumed in the middle, or split over several processes, sees what an uninterrupted one sees.
The next batches are made in threads while the current one trains; OpenCV works outside Python's lock.
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
    """An endless shuffled deck over `faces`; the last, smaller batch of an epoch is left out."""

    faces: FaceSet
    augment: Augment
    batch_size: int
    seed: int = 0
    threads: int = 2

    def __len__(self) -> int:
        return len(self.faces) // self.batch_size

    def epoch(self, epoch: int, *, size: int, first: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches `first`, `first + 1`, ... of `epoch`, pictures changed and brought to `size` pixels."""
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.faces))
        with ThreadPoolExecutor(self.threads) as pool:
            waiting: deque = deque()
            for step in range(first, len(self)):
                rows = order[step * self.batch_size : (step + 1) * self.batch_size]
                waiting.append(pool.submit(self._make, rows, epoch, size))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _make(self, rows: np.ndarray, epoch: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        crops = np.stack(
            [
                self.augment(self.faces.images[row], np.random.default_rng((self.seed, epoch, row)), size=size)
                for row in rows
            ]
        )
        return crops, self.faces.votes[rows]
