"""The records of a .csv or .jsonl file, as far as they can be read.

In:  a file from anywhere: cut off by a kill, damaged, of another encoding.
Out: one mapping a record, column -> value, and what was wrong.
"""

from __future__ import annotations

import codecs
import csv
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from support import UserError

LONGEST_LINE = 1 << 20  # characters
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
NO_UTF8 = re.compile("[\udc80-\udcff]")  # bytes that "surrogateescape" has kept


class Records:
    """Iterable, more than once. After that: `damaged`: how many records could not be read. `cut_off`: the last line has
    no end and was left out. `replaced`: there were characters that are no UTF-8.

    is_csv: True for every file whose name does not end in .jsonl.

    needed: the columns that every record has. Raises `UserError` where the file cannot be opened or has other columns.
    """

    def __init__(self, path: str | Path, needed: tuple[str, ...]) -> None:
        self.path, self._needed = Path(path), needed
        if not os.path.isfile(self.path):  # and not Path.is_file, which raises for some names
            raise UserError(f"{self.path} is no file; name a log that live.py --log wrote.")
        self.is_csv = self.path.suffix.lower() != ".jsonl"
        self._start()

    def _start(self) -> None:
        self.damaged, self.cut_off, self.replaced = 0, False, False

    def __iter__(self) -> Iterator[Mapping[str, object]]:
        self._start()
        try:
            with open(self.path, "rb") as file:
                wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # as PowerShell writes
            encoding = "utf-16" if wide else "utf-8-sig"
            errors = "replace" if wide else "surrogateescape"  # which tells what is no UTF-8 from a log's own U+FFFD
            with open(self.path, encoding=encoding, errors=errors, newline="") as file:
                yield from self._csv(file) if self.is_csv else self._jsonl(file)
        except OSError as error:
            raise UserError(f"cannot read {self.path}: {error.strerror}.") from error

    def _lines(self, file: TextIO) -> Iterator[str]:
        while line := file.readline(LONGEST_LINE):
            if not line.endswith("\n"):
                if len(line) == LONGEST_LINE:
                    raise self.unlike(f"has a line of more than {LONGEST_LINE:,} characters")
                self.cut_off = True
                return
            self.replaced |= file.errors == "replace" and REPLACEMENT in line
            if NO_UTF8.search(line):
                self.replaced = True
                line = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            yield line

    def _csv(self, file: TextIO) -> Iterator[Mapping[str, object]]:
        reader = csv.reader(self._lines(file), strict=True)  # else a quote that a kill left open would pass
        header: list[str] | None = None
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error:
                self.damaged += 1
                continue
            if header is None:
                header = cells
                if missing := [name for name in self._needed if name not in header]:
                    raise self.unlike(f"has no column {', '.join(missing)}")
            elif len(cells) == len(header):
                yield dict(zip(header, cells, strict=True))
            elif cells:
                self.damaged += 1
        if header is None:
            raise self.unlike("is empty")

    def _jsonl(self, file: TextIO) -> Iterator[Mapping[str, object]]:
        for line in self._lines(file):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict) and record.keys() >= set(self._needed):
                yield record
            elif line.strip():
                self.damaged += 1

    def unlike(self, what: str) -> UserError:
        """The error that this is no log."""
        return UserError(f"{self.path} {what}; is it a log that live.py --log wrote?")
