"""Many short texts in one block of memory: a million file names take 40 MB instead of 100.

In:  texts; names of files may hold bytes that are no UTF-8 (surrogates).
Out: a sequence of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np


class Strings(Sequence[str]):
    """N texts. An index gives one; a slice or an array of integers, more `Strings`."""

    def __init__(self, texts: Iterable[str]) -> None:
        block, ends = bytearray(), array("q", [0])
        for text in texts:
            block += text.encode("utf-8", "surrogateescape")
            ends.append(len(block))
        self._block, self._ends = bytes(block), np.frombuffer(ends, np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray) -> Strings: ...
    def __getitem__(self, index: int | slice | np.ndarray) -> str | Strings:
        if isinstance(index, (slice, np.ndarray)):
            return Strings(self[row] for row in np.arange(len(self))[index].tolist())
        row = range(len(self))[index]  # counts from the end, and refuses what is outside, as a list does
        return self._block[self._ends[row] : self._ends[row + 1]].decode("utf-8", "surrogateescape")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))
