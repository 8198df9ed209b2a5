"""FER+ (Barsoum et al. 2016, arXiv 1608.01041): FER2013's 48x48 grey faces, labelled again by ten people each.

In:  a folder with FER2013Train, FER2013Valid and FER2013Test, each holding PNGs and `label.csv`
     (name, box, then ten vote counts; no header); or one with Kaggle's `fer2013.csv` and the release's `fer2013new.csv`
     (Usage, Image name, then the ten counts; a header).
Out: a `FaceSet` of eight expressions.

Which rows count follows the FER+ release: for validation and test its "majority" rule (`majority_rows`), which gives
3,191 and 3,137 pictures; for training every picture whose most-voted of the ten columns is an expression (28,385, of
which 25,045 have a majority). These are the counts of the label.csv files, which are read where both are there: by
`fer2013new.csv` there are 3,152 test pictures, as 1,602 of its rows differ, nearly all byte-identical pictures with
swapped votes.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np

from data.datasets.fer2013 import VOTES, find_pixels, grey_pixels, split_of
from data.emotions import EMOTIONS
from data.face_set import FaceSet
from data.faults import Fault, collect_errors
from data.tables import Sample, build_face_set, check_field_count, read_records, read_rows, register_name, vote_counts
from support import UserError

NAME = "ferplus"
PROTOCOL = "FER+ majority rule: single votes dropped, then over half of the rest for one of eight expressions"
FOLDERS = {"train": "FER2013Train", "validation": "FER2013Valid", "test": "FER2013Test"}
COLUMNS = (*EMOTIONS, "unknown", "not-a-face")  # the release's own order; its first eight are ours


def recognise(folder: Path) -> bool:
    """True where `folder` is laid out like the FER+ release, or holds FER2013's csv with FER+'s votes."""
    return has_folders(folder) or (find_pixels(folder) is not None and (folder / VOTES).is_file())


def has_folders(folder: Path) -> bool:
    """Does each split have a folder with its label.csv?"""
    return all((folder / name / "label.csv").is_file() for name in FOLDERS.values())


def load(folder: Path, split: str, *, skip_bad: bool = False) -> FaceSet:
    """The faces of `split` ("train", "validation" or "test"), decoded into memory (7 kB each)."""
    faults: list[Fault] = []
    read = read_folder if has_folders(folder) else read_csv
    voted = read(folder, split, faults)
    samples = official_samples(voted, split)
    return build_face_set(samples, faults, split=split, class_names=EMOTIONS, skip_bad=skip_bad)


def read_folder(folder: Path, split: str, faults: list[Fault]) -> list[Sample]:
    """The rows of one split's label.csv, with ten vote counts each and no label yet."""
    path, voted = folder / FOLDERS[split] / "label.csv", []
    places: dict[str, str] = {}
    unlabelled = functools.partial(Sample, split=split, label=-1, file=path)  # the label is `official_samples`' to set
    for line, fields in read_rows(path):
        with collect_errors(faults, path, line):
            check_field_count(fields, 2 + len(COLUMNS), what="name, box and ten counts")
            name = fields[0]
            register_name(name, places, file=path, line=line)
            voted.append(unlabelled(name=name, picture=path.with_name(name), line=line, votes=vote_counts(fields[2:])))
    return voted


def read_csv(folder: Path, split: str, faults: list[Fault]) -> list[Sample]:
    """The rows of `split` in both csv files, joined by line, with ten vote counts each and no label yet.

    The release joins them so: fer2013.csv has no names, and the numbers in the names of fer2013new.csv are not its
    lines. Usage stands in both and must agree. A row without a name is a picture that the release dropped.
    """
    path, voted = find_pixels(folder), []
    if path is None:
        raise UserError(f"{folder} holds neither the folders of the FER+ release nor FER2013's csv.")
    votes = read_votes(folder / VOTES, faults)
    unlabelled = functools.partial(Sample, split=split, label=-1, file=path)
    for line, (pixels, usage) in read_records(path, ("pixels", "Usage"), faults):
        with collect_errors(faults, path, line):
            if line not in votes:
                raise UserError(f"{VOTES} has no line {line} for this picture")
            row = votes.pop(line)
            if row is None:
                continue
            name, row_split, counts = row
            if row_split != split_of(usage):
                raise UserError(f"Usage is {usage!r} here, but not on line {line} of {VOTES}")
            if row_split == split and name:
                voted.append(unlabelled(name=name, picture=grey_pixels(pixels), line=line, votes=counts))
    faults += [Fault(folder / VOTES, line, f"{path.name} has no usable line {line} for these votes") for line in votes]
    return voted


def read_votes(path: Path, faults: list[Fault]) -> dict[int, tuple[str, str, np.ndarray] | None]:
    """(name, split, ten counts) of every line of fer2013new.csv; None where the row was a fault."""
    votes: dict[int, tuple[str, str, np.ndarray] | None] = {}
    places: dict[str, str] = {}
    for line, (usage, name, *counts) in read_records(path, ("Usage", "Image name", *EMOTIONS, "unknown", "NF"), faults):
        votes[line] = None
        with collect_errors(faults, path, line):
            if name:
                register_name(name, places, file=path, line=line)
            votes[line] = name, split_of(usage), vote_counts(counts)
    return votes


def official_samples(voted: list[Sample], split: str) -> list[Sample]:
    """The rows of `split` that the release counts, with their label and the votes for the eight expressions."""
    counts = np.array([row.votes for row in voted], dtype=np.float32).reshape(-1, len(COLUMNS))  # (N, 10)
    cleaned = drop_single_votes(counts)
    keep = cleaned.argmax(axis=1) < len(EMOTIONS) if split == "train" else majority_rows(counts)
    expressions = cleaned[:, : len(EMOTIONS)]  # (N, 8)
    return [
        dataclasses.replace(voted[i], label=int(expressions[i].argmax()), votes=expressions[i])
        for i in np.flatnonzero(keep)
    ]


def drop_single_votes(counts: np.ndarray) -> np.ndarray:
    """FER+'s outlier rule: a category that a single person named counts as not named.

    counts: (N, 10) float32 votes. A row made of single votes only keeps them.
    """
    cleaned = np.where(counts > 1, counts, 0)
    return np.where(cleaned.sum(axis=1, keepdims=True) > 0, cleaned, counts)


def majority_rows(counts: np.ndarray) -> np.ndarray:
    """(N,) bool: rows with an official label. (N, 10) counts, single votes dropped, one expression over half."""
    cleaned = np.where(counts > 1, counts, 0)
    return (cleaned.max(axis=1) > 0.5 * cleaned.sum(axis=1)) & (cleaned.argmax(axis=1) < len(EMOTIONS))
