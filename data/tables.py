"""From the tables of a data set to a `FaceSet`: what the formats in data/datasets/ share.

In:  text files with one picture a row.
Out: checked rows, from which a format makes `Sample`s; from these, decoded, a `FaceSet`.

Rows that cannot be used become faults (data/faults.py). Tables are read with csv and not with pandas, which hides line
numbers, turns a picture named NA into NaN, and reads a table with another delimiter as one column without a word.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import math
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from data.face_set import FaceSet
from data.faults import Fault, collect_errors, raise_errors
from data.sources.pictures import read_picture
from support import UserError

SPLITS = ("train", "validation", "test")
SPLIT_SEED = 0
VALIDATION_SHARE = 0.1  # of the training faces, where a data set names none


@dataclass(frozen=True)
class Sample:
    """One face as its data set lists it, not decoded yet.

    label: index of the class names.
    picture: a path, or grey pixels (H, W) uint8.
    file, line: where the face is listed; a line of None means by its place in the folder `file`.
    votes: (K,) float32, or None where only the label is known.
    attributes: what else is known of it, such as {"gender": "female"}.
    """

    name: str
    split: str
    label: int
    picture: Path | np.ndarray
    file: Path
    line: int | None = None
    votes: np.ndarray | None = None
    attributes: dict[str, str] = field(default_factory=dict)


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, fields) of every row that is not blank; a .csv is split at commas, any other file at white space."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            if path.suffix.lower() == ".csv":
                reader = csv.reader(file)
                rows = ((reader.line_num, [text.strip() for text in fields]) for fields in reader)
            else:
                rows = ((line, text.split()) for line, text in enumerate(file, start=1))
            for line, fields in rows:
                if fields:
                    yield line, fields
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}.") from error
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num} cannot be read as csv: {error}; repair the file.") from error


def read_records(path: Path, columns: Sequence[str], faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    """(line, the values of `columns`) of every row of a .csv with a header, whatever the order of its columns.

    Rows of another length than the header become faults. Raises `UserError` where the header lacks one of `columns`.
    """
    rows = read_rows(path)
    _, header = next(rows, (1, []))
    missing = [name for name in columns if name not in header]
    if missing:
        raise UserError(
            f"{path}:1 must name the columns {', '.join(columns)}, separated by commas; it lacks {', '.join(missing)}."
        )
    places = [header.index(name) for name in columns]
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
    if not text.isdecimal() or not first <= int(text) <= last:
        raise UserError(f"{what} must be a whole number from {first} to {last}, not {text!r}")
    return int(text)


def is_number(text: str) -> bool:
    """Does `text` read as a finite number?"""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def vote_counts(fields: Sequence[str]) -> np.ndarray:
    """(K,) float32 from counts or probabilities as text; refused where they are no votes."""
    if not all(is_number(text) for text in fields):
        raise UserError(f"votes must be numbers, not {' '.join(fields)!r}")
    counts = np.array([float(text) for text in fields], dtype=np.float32)
    if counts.min() < 0:
        raise UserError(f"votes must not be negative: {' '.join(fields)!r}")
    if counts.sum() == 0:
        raise UserError("the votes sum to zero")
    return counts


def split_off(samples: Sequence[Sample], share: float, *, split: str) -> list[Sample]:
    """`samples`, with a fixed `share` of every class's "train" ones, at least one of two, moved to `split`.

    They are drawn by a hash of the name, so the same ones whatever the order of the rows, and on every machine.
    """
    by_class = defaultdict(list)
    for sample in samples:
        if sample.split == "train":
            by_class[sample.label].append(sample.name)
    moved: set[str] = set()
    for names in by_class.values():
        count = max(round(share * len(names)), 1) if len(names) > 1 else 0
        moved.update(sorted(names, key=_name_hash)[:count])
    return [dataclasses.replace(sample, split=split) if sample.name in moved else sample for sample in samples]


def _name_hash(name: str) -> bytes:
    return hashlib.blake2b(os.fsencode(f"{SPLIT_SEED} {name}"), digest_size=8).digest()


def build_face_set(
    samples: Sequence[Sample], faults: list[Fault], *, split: str, class_names: tuple[str, ...], skip_bad: bool
) -> FaceSet:
    """The samples of `split`, decoded to RGB; raises `FaultyData` where `faults` hold or gain any, see `raise_errors`.

    Votes are scaled to sum to 1; where the samples have none they are the labels, one-hot.
    """
    kept, images = [], []
    for sample in samples:
        if sample.split == split:
            with collect_errors(faults, sample.file, sample.line):
                images.append(decode(sample.picture))
                kept.append(sample)
    raise_errors(faults, skip_bad=skip_bad)
    if not kept:
        raise UserError(f"no usable face for {split}; `python -m data.check DIR` shows what the folder holds.")
    labels = np.array([sample.label for sample in kept], dtype=np.int64)
    counts = [sample.votes for sample in kept if sample.votes is not None]
    if counts:
        votes = np.stack(counts)
        votes /= votes.sum(axis=1, keepdims=True)
    else:
        votes = np.eye(len(class_names), dtype=np.float32)[labels]
    return FaceSet(
        images=images,
        votes=votes,
        labels=labels,
        names=tuple(sample.name for sample in kept),
        class_names=class_names,
        has_votes=bool(counts),
        attributes={name: np.array([sample.attributes[name] for sample in kept]) for name in kept[0].attributes},
    )


def decode(picture: Path | np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB of the file at a path, or of grey pixels (H, W) uint8, spread to three equal channels."""
    return cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if isinstance(picture, np.ndarray) else read_picture(picture)
