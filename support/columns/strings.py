"""Very many short texts in little memory: a million names of files take 4 MB, or 22 where they are random, and not 100.

In:  texts; names of files may hold bytes that are no UTF-8 (surrogates).
Out: sequences of them: `Strings`, compressed; `Categorical`, where few differ.
"""

from __future__ import annotations

import marshal
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import cast, overload

import numpy as np

from support.columns.numbers import Numbers, rows_at

BLOCK = 64  # texts that are compressed together: 128 would save a fifth, and one would take twice as long to read


class Strings(Sequence[str]):
    """N texts. An index gives one, in 10 to 20 microseconds; a slice or an array of integers, more `Strings`."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._blocks: list[bytes] = []
        self._last: list[str] = []  # fewer than BLOCK
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """One more text at the end."""
        self._last.append(text)
        if len(self._last) == BLOCK:
            self._blocks.append(zlib.compress(marshal.dumps(self._last), 1))
            self._last = []

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK + len(self._last)

    def __iter__(self) -> Iterator[str]:
        for number in range(len(self._blocks) + 1):
            yield from self._block(number)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray) -> Strings: ...
    def __getitem__(self, index: int | slice | np.ndarray) -> str | Strings:
        if not isinstance(index, (slice, np.ndarray)):
            row = range(len(self))[index]  # counts from the end, and refuses what is outside, as a list does
            return self._block(row // BLOCK)[row % BLOCK]
        return Strings(self._at(rows_at(index, len(self))))

    def _at(self, rows: np.ndarray) -> Iterator[str]:
        held, texts = -1, self._last
        for row in rows.data:  # one number after another: a list of a million takes 32 MB
            if row // BLOCK != held:
                held = row // BLOCK
                texts = self._block(held)
            yield texts[row % BLOCK]

    def _block(self, number: int) -> list[str]:
        if number == len(self._blocks):
            return self._last
        return cast(list[str], marshal.loads(zlib.decompress(self._blocks[number])))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))


class Categorical:
    """N texts of which few differ: each of these once, and N `Numbers`."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.categories: list[str] = []
        self._numbers: dict[str, int] = {}
        self._codes = Numbers()
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
        """(N,) unsigned: the number of each text; to be let go of before the next `append`."""
        return self._codes.array()

    def array(self) -> np.ndarray:
        """(N,) str."""
        return np.array(self.categories, dtype=str)[self.codes]

    def equal(self, text: str) -> np.ndarray:
        """(N,) bool: where `text` stands."""
        return self.codes == self._numbers.get(text, len(self.categories))

    def rows(self, index: np.ndarray | slice) -> Categorical:
        """The texts at `index`, (M,) int or a slice; the categories stay."""
        some = Categorical(self.categories)
        some._codes = self._codes.rows(index)
        return some

    def replaced(self, where: np.ndarray, text: str) -> Categorical:
        """The same with `text` at `where`, (N,) bool."""
        changed = Categorical(self.categories)
        number = changed._number_of(text)
        changed._codes = Numbers.of(np.where(where, np.min_scalar_type(number).type(number), self.codes))
        return changed

    def _number_of(self, text: str) -> int:
        if text not in self._numbers:
            self._numbers[text] = len(self.categories)
            self.categories.append(text)
        return self._numbers[text]
