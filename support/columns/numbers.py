"""Very many whole numbers in little memory, and which of them stand among others.

In:  numbers from 0, such as labels; arrays of them.
Out: `Numbers`, in as few bytes as they need; masks.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

import numpy as np

CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}  # array's, by bytes
CHUNK = 2**14  # numbers that are worked on at a time


class Numbers:
    """N whole numbers from 0, in 1, 2, 4 or 8 bytes each, as the largest needs."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._numbers = array("B")
        for number in numbers:
            self.append(number)

    @classmethod
    def of(cls, values: np.ndarray) -> Numbers:
        """Those of an array (N,) int."""
        self = cls()
        narrow = values.astype(np.min_scalar_type(int(values.max(initial=0))))
        self._numbers = array(CODES[narrow.itemsize], narrow.tobytes())
        return self

    def append(self, number: int) -> None:
        """One more number at the end."""
        try:
            self._numbers.append(number)
        except OverflowError:
            self._numbers = array(CODES[2 * self._numbers.itemsize], self._numbers)
            self.append(number)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, row: int) -> int:
        return self._numbers[row]

    def array(self) -> np.ndarray:
        """(N,) unsigned; to be let go of before the next `append`."""
        return np.frombuffer(self._numbers, f"u{self._numbers.itemsize}")

    def rows(self, index: np.ndarray | slice) -> Numbers:
        """Those at `index`, (M,) int or a slice."""
        return Numbers.of(self.array()[index])


def rows_at(index: slice | np.ndarray, length: int) -> np.ndarray:
    """(M,) int from 0: the rows of `length` that a slice, a mask (`length`,) or integers, as of an array, stand for."""
    if isinstance(index, slice) or index.dtype == bool:
        return np.arange(length, dtype=np.uint32)[index]
    if len(index) and not -length <= int(index.min()) <= int(index.max()) < length:
        raise IndexError(f"rows from {index.min()} to {index.max()} of {length}")
    return np.where(index < 0, index + length, index) if index.dtype.kind == "i" else index


def chunks(values: np.ndarray) -> Iterator[np.ndarray]:
    """Parts of `values`, one after another, whose copies take little memory."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def rows_in_parts(mask: np.ndarray) -> Iterator[np.ndarray]:
    """The rows where `mask` (N,) bool is true, one part after another."""
    for number, part in enumerate(chunks(mask)):
        yield number * CHUNK + np.flatnonzero(part)


def in_both(parts: Iterable[np.ndarray], others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) bool: which of N numbers, given in parts, stand among `others`; and the numbers that do, each once.

    As `np.isin`, which takes several times the memory of all N.
    """
    known = np.unique(others)
    hit, found = np.zeros(len(known), bool), [np.zeros(0, bool)]
    for some in parts:
        places = np.minimum(np.searchsorted(known, some), max(len(known) - 1, 0))
        found.append(known[places] == some if len(known) else np.zeros(len(some), bool))
        hit[places[found[-1]]] = True
    return np.concatenate(found), known[hit]


def contained(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) bool: which of `values` stand among `others`."""
    return in_both(chunks(values), others)[0]


def repeated(values: np.ndarray) -> np.ndarray:
    """(N,) bool: which of `values` stand there more than once."""
    ordered = np.sort(values)
    return contained(values, ordered[1:][ordered[1:] == ordered[:-1]])
