"""Very many short texts in little memory: a million file names take 40 MB instead of 100.

In:  texts; names of files may hold bytes that are no UTF-8 (surrogates).
Out: sequences of them: `Strings`, in one block; `Categorical`, where few differ.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np


class Strings(Sequence[str]):
    """N texts. An index gives one; a slice or an array of integers, more `Strings`."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._block, self._ends = bytearray(), array("q", [0])
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """One more text at the end."""
        self._block += text.encode("utf-8", "surrogateescape")
        self._ends.append(len(self._block))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray) -> Strings: ...
    def __getitem__(self, index: int | slice | np.ndarray) -> str | Strings:
        if not isinstance(index, (slice, np.ndarray)):
            row = range(len(self))[index]  # counts from the end, and refuses what is outside, as a list does
            return self._block[self._ends[row] : self._ends[row + 1]].decode("utf-8", "surrogateescape")
        some = Strings()
        for row in np.arange(len(self))[index].tolist():
            some._block += self._block[self._ends[row] : self._ends[row + 1]]
            some._ends.append(len(some._block))
        return some

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))


class Categorical:
    """N texts of which few differ: each of these once, and N numbers of 4 bytes."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.categories: list[str] = []
        self._numbers: dict[str, int] = {}
        self._codes = array("i")
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """One more text at the end."""
        self._codes.append(self._number_of(text))

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, row: int) -> str:
        return self.categories[self._codes[row]]

    @property
    def codes(self) -> np.ndarray:
        """(N,) int32: the number of each text; to be let go of before the next `append`."""
        return np.frombuffer(self._codes, np.int32) if self._codes else np.empty(0, np.int32)

    def array(self) -> np.ndarray:
        """(N,) str."""
        return np.array(self.categories, dtype=str)[self.codes]

    def equal(self, text: str) -> np.ndarray:
        """(N,) bool: where `text` stands."""
        return self.codes == self._numbers.get(text, -1)

    def rows(self, index: np.ndarray) -> Categorical:
        """The texts at `index`, (M,) int; the categories stay."""
        some = Categorical(self.categories)
        some._codes = array("i", self.codes[index].tobytes())
        return some

    def replaced(self, where: np.ndarray, text: str) -> Categorical:
        """The same with `text` at `where`, (N,) bool."""
        changed = self.rows(np.arange(len(self)))
        number = changed._number_of(text)
        changed.codes[where] = number
        return changed

    def _number_of(self, text: str) -> int:
        if text not in self._numbers:
            self._numbers[text] = len(self.categories)
            self.categories.append(text)
        return self._numbers[text]
