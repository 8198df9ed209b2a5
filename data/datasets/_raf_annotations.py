"""What RAF-DB knows of each picture besides its label: votes, gender, race and age.

In:  every .csv in `EmoLabel` that is no list of labels, and `*distribution*.txt`: a picture's name and as many counts
     or shares as there are classes, in RAF-DB's order or in that of a header;
     `Annotation/manual`, or its .zip, a text file a picture.
Out: `Sample`s that have them, joined by the picture's name, with or without `_aligned`, in any case.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path, PurePath

import numpy as np

from data.faults import Fault, collect_errors
from data.layout import child, child_or_zip, contents, is_leftover
from data.samples import Sample
from data.tables import check_field_count, is_number, read_rows, register_name, vote_counts, whole_number
from support import UserError
from support.emotions import canonical_name

RAF_ORDER = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
ATTRIBUTES = {  # the last three of the eight lines of *_manu_attri.txt; five landmarks come first
    "gender": ("male", "female", "unsure"),
    "race": ("Caucasian", "African-American", "Asian"),
    "age": ("0-3", "4-19", "20-39", "40-69", "70+"),
}
LANDMARKS = 5


def key_of(name: str) -> str:
    """`train_00001` for train_00001.jpg as for aligned/train_00001_aligned.jpg: what tables are joined by."""
    stem = PurePath(name).stem
    return stem[: -len("_aligned")] if stem.lower().endswith("_aligned") else stem


def join_votes(
    root: Path,
    samples: list[Sample],
    faults: list[Fault],
    *,
    order: tuple[str, ...],
    class_names: tuple[str, ...],
    label_files: Collection[str],
) -> list[Sample]:
    """`samples` with their votes, by name; as they are where there is no file of votes at all.

    order: the classes as RAF-DB counts them. class_names: the same, in the order that votes are to have.
    """
    labels = child(root, "EmoLabel") or root
    inside = sorted(path for path in labels.iterdir() if not is_leftover(path.name))
    files = [path for path in inside if path.suffix.lower() == ".csv" and path.name.lower() not in label_files]
    files += [path for path in inside if path.suffix.lower() == ".txt" and "distribution" in path.name.lower()]
    if not files:
        return samples
    votes, joined = read_votes(files, faults, order=order, class_names=class_names), []
    for sample in samples:
        key = key_of(sample.name)
        with collect_errors(faults, sample.file, sample.line):
            counts = votes.get(key.lower())
            if counts is not None:
                joined.append(dataclasses.replace(sample, votes=counts))
            elif key.lower() not in votes:
                raise UserError(f"{key} has no votes in {', '.join(path.name for path in files)}")
    return joined


def read_votes(
    files: list[Path], faults: list[Fault], *, order: tuple[str, ...], class_names: tuple[str, ...]
) -> dict[str, np.ndarray | None]:
    """(K,) float32 votes in the order of `class_names`, by the picture's key in lower case; None where a fault."""
    votes: dict[str, np.ndarray | None] = {}
    places: dict[str, str] = {}
    for path in files:
        rows = list(read_rows(path))
        columns = order
        if rows and len(rows[0][1]) > 1 and not any(is_number(text) for text in rows[0][1][1:]):
            columns = header_order(path, rows.pop(0)[1], order)
        for line, fields in rows:
            with collect_errors(faults, path, line):
                check_field_count(fields, 1 + len(order), what=f"a picture's name and {len(order)} votes")
                key = key_of(fields[0]).lower()
                register_name(key, places, file=path, line=line)
                votes[key] = None
                votes[key] = vote_counts(fields[1:])[[columns.index(name) for name in class_names]]
    return votes


def header_order(path: Path, header: list[str], order: tuple[str, ...]) -> tuple[str, ...]:
    """The class names in the order of a header's columns, the first of which is the picture's name."""
    columns = tuple(canonical_name(word) for word in header[1:])
    if sorted(columns) != sorted(order):
        raise UserError(
            f"the header of {path} must name the picture, then {', '.join(order)} in any order, "
            f"not {', '.join(header)}; mend it or take it away."
        )
    return columns


def join_attributes(root: Path, samples: list[Sample], faults: list[Fault]) -> list[Sample]:
    """`samples` with gender, race and age; as they are where there is no `Annotation/manual`."""
    annotation = child(root, "Annotation")
    manual = annotation and child_or_zip(annotation, "manual")
    if not manual:
        return samples
    folder = contents(manual, "manual")
    joined = []
    for sample in samples:
        path = folder / f"{key_of(sample.name)}_manu_attri.txt"
        with collect_errors(faults, sample.file, sample.line):
            joined.append(dataclasses.replace(sample, attributes=read_attributes(path)))
    return joined


def read_attributes(path: Path) -> dict[str, str]:
    """One face's {"gender": ..., "race": ..., "age": ...}, in RAF-DB's words."""
    rows = list(read_rows(path))
    if len(rows) != LANDMARKS + len(ATTRIBUTES):
        raise UserError(f"{path} must have five landmarks, gender, race and age, a line each; it has {len(rows)} lines")
    values = {}
    for (line, fields), (name, words) in zip(rows[LANDMARKS:], ATTRIBUTES.items(), strict=True):
        values[name] = words[whole_number(fields[0], len(words) - 1, what=f"{path}:{line}: {name}")]
    return values
