"""Tables as data sets have them: checked fields of text files with one picture a row.

In:  text files, UTF-8 or UTF-16, with or without a byte order mark. A .csv is separated by commas, semicolons or tabs,
     whichever its first line has; any other file by white space.
Out: (line, fields) of every row, and numbers, votes and names from fields.

Tables are read with csv and not with pandas, which hides line numbers, turns a picture named NA into NaN, and reads a
table with another delimiter as one column without a word.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from data.faults import Fault, collect_errors
from support import UserError
from support.cli import refuse_special_file

SPLITS = ("train", "validation", "test")
ALL = "all"  # what commands call the three of them together
FARTHEST = 2**30  # pixels: two of them are added, and kept as int32
DIGITS = 18  # of a whole number: Python refuses to read some thousands
_SAMPLE = 4096  # bytes from which the encoding is told


def encoding_of(path: Path) -> str:
    """The encoding of a text file: by its byte order mark, or by the zero bytes that UTF-16 has beside every letter.

    `UserError` for what is no ordinary file.
    """
    refuse_special_file(path)
    with open(path, "rb") as file:
        start = file.read(_SAMPLE)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) > len(start) / 8:
        return "utf-16-be" if even > odd else "utf-16-le"
    return "utf-8-sig"


def delimiter_of(line: str) -> str:
    """What separates the fields of a .csv, by its first line: a semicolon, else a tab, else a comma.

    A comma may stand inside numbers, so that where there is a semicolon or a tab as well it separates nothing.
    """
    bare = re.sub(r'"[^"]*"', "", line)
    return ";" if ";" in bare else "\t" if "\t" in bare and "," not in bare.partition("\t")[0] else ","


def read_rows(path: Path, *, errors: str = "strict") -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of every row that is not blank; fields have no white space around them. errors: as of `open`.

    Raises `UserError` where the file cannot be opened, is no text in UTF-8 or UTF-16, or no csv.
    """
    line = 0
    try:
        with open(path, encoding=encoding_of(path), errors=errors, newline="") as file:
            spaced = ((line, text.split()) for line, text in enumerate(file, start=1))
            for line, fields in _csv_rows(file) if path.suffix.lower() == ".csv" else spaced:
                if any("\0" in field for field in fields):  # in no name of a file, and in no number
                    raise UserError(f"{path}:{line} holds a zero byte; repair the file.")
                if any(fields):
                    yield line, fields
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}.") from error
    except UnicodeError as error:
        raise UserError(f"{path} is no UTF-8 or UTF-16 text after line {line}: {error}; save it as UTF-8.") from error
    except csv.Error as error:
        raise UserError(f"{path}:{line + 1} cannot be read as csv: {error}; repair the file.") from error


def _csv_rows(file: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    lines = iter(file)
    first = []
    for text in lines:
        first.append(text)
        if text.strip():
            break
    reader = csv.reader(itertools.chain(first, lines), delimiter=delimiter_of(first[-1] if first else ""))
    for fields in reader:
        yield reader.line_num, [text.strip() for text in fields]


def read_header(path: Path) -> list[str]:
    """The fields of the first row, in lower case; empty where there is none. What is no text is told by `read_rows`."""
    return [text.lower() for text in next(read_rows(path, errors="replace"), (1, []))[1]]


def read_records(path: Path, columns: Sequence[str], faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    """(line, the values of `columns`) of every row of a .csv with a header, in any order of columns, in any case.

    Rows of another length than the header become faults. Raises `UserError` where the header lacks one of `columns`.
    """
    rows = read_rows(path)
    _, header = next(rows, (1, []))
    known = [text.lower() for text in header]
    missing = [name for name in columns if name.lower() not in known]
    if missing:
        raise UserError(
            f"{path}:1 must name the columns {', '.join(columns)}, separated by commas; it lacks {', '.join(missing)}."
        )
    places = [known.index(name.lower()) for name in columns]
    for line, fields in rows:
        with collect_errors(faults, path, line):
            check_field_count(fields, len(header), what="values as in the header")
            yield line, [fields[place] for place in places]


def check_field_count(fields: list[str], count: int, *, what: str) -> None:
    """Refuse a row that has not `count` fields."""
    if len(fields) != count:
        hint = "; is the delimiter another?" if len(fields) == 1 else ""
        raise UserError(f"wanted {count} fields ({what}), found {len(fields)}: {' '.join(fields)[:60]!r}{hint}")


def register_name(name: str, places: dict[str, str], *, file: Path, line: int) -> None:
    """Write into `places` where `name` stands; refuse an empty name and one that is there already."""
    if not name:
        raise UserError("the name of the picture is empty")
    if name in places:
        raise UserError(f"{name} is a duplicate of {places[name]}")
    places[name] = f"{file.name}:{line}"


def whole_number(text: str, last: int, *, first: int = 0, what: str = "the label") -> int:
    """The number in `text`, refused where it is not one of `first`, ..., `last`."""
    if not (text.isdecimal() and len(text) <= DIGITS and first <= int(text) <= last):
        raise UserError(f"{what} must be a whole number from {first} to {last}, not {text!r:.60}")
    return int(text)


def to_number(text: str) -> float:
    """The number in `text`, which may have a decimal comma; NaN where it is none."""
    if "," in text and "." not in text:
        text = text.replace(",", ".", 1)
    try:
        return float(text) if "_" not in text else math.nan
    except ValueError:
        return math.nan


def is_number(text: str) -> bool:
    """Does `text` read as a finite number?"""
    return math.isfinite(to_number(text))


def box_numbers(fields: Sequence[str]) -> list[int]:
    """The four numbers of a box as text, in whole pixels; refused where they are none, or no picture's."""
    numbers = [round(to_number(text)) if is_number(text) else FARTHEST for text in fields]
    if max(map(abs, numbers)) >= FARTHEST:
        raise UserError(f"the box must be four numbers, not {' '.join(fields)!r:.60}")
    return numbers


def vote_counts(fields: Sequence[str]) -> np.ndarray:
    """(K,) float32 from counts or probabilities as text; refused where they are no votes."""
    if not all(is_number(text) for text in fields):
        raise UserError(f"votes must be numbers, not {' '.join(fields)!r}")
    counts = np.array([to_number(text) for text in fields])
    if counts.min() < 0:
        raise UserError(f"votes must not be negative: {' '.join(fields)!r}")
    if counts.max() > np.finfo(np.float32).max / len(counts):  # finite as float64, infinite after the cast
        raise UserError(f"votes must be counts or shares, not as large as {' '.join(fields)!r}")
    if counts.astype(np.float32).sum() < np.finfo(np.float32).tiny:
        raise UserError("the votes sum to zero")
    return counts.astype(np.float32)
