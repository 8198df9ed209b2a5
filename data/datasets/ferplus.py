"""FER+ (Barsoum et al. 2016, arXiv 1608.01041): FER2013's 48x48 grey faces, labelled again by ten people each.

In:  a folder, or one that holds it, with one of
       FER2013Train, FER2013Valid and FER2013Test, each holding PNGs and `label.csv` (name, box, then ten vote counts;
         no header), as Microsoft's script makes them;
       the same folders of PNGs without label.csv, and the release's `fer2013new.csv` beside them;
       Kaggle's `fer2013.csv` and `fer2013new.csv` (Usage, Image name, then the ten counts; a header).
Out: a `FaceSet` of eight expressions.

Which rows count follows the FER+ release: for validation and test its "majority" rule (`majority_rows`), which gives
3,191 and 3,137 pictures; for training every picture whose most-voted of the ten columns is an expression (28,385, of
which 25,045 have a majority). These are the counts of the label.csv files, which are read where both are there: by
`fer2013new.csv` there are 3,152 test pictures, as 1,602 of its rows differ, nearly all byte-identical pictures with
swapped votes.

fer2013.csv has no names, so its rows and those of fer2013new.csv can only be joined by their order, which must then be
the published one: `check_order`.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.datasets.fer2013 import LABELS, VOTES, find_csv, grey_pixels, split_of
from data.faults import Fault, collect_errors
from data.layout import child, find_root
from data.samples import Listing, Sample
from data.tables import check_field_count, read_records, read_rows, register_name, vote_counts, whole_number
from support import UserError
from support.emotions import EMOTIONS

NAME = "ferplus"
PROTOCOL = "FER+ majority rule: single votes dropped, then over half of the rest for one of eight expressions"
FOLDERS = {"train": "FER2013Train", "validation": "FER2013Valid", "test": "FER2013Test"}
COLUMNS = (*EMOTIONS, "unknown", "not-a-face")  # the release's own order; its first eight are ours
DESCENTS = 0.001  # share of names that may be smaller than the one before; the release has 4 in 35,714
BLOCK = 1000  # rows over which agreement is measured, so that a shift in the middle shows
KAPPA = 0.3  # least Cohen's kappa of FER2013's label and the votes; 0.6 in the release, 0 by chance


def is_root(folder: Path) -> bool:
    """Does `folder` itself hold FER+, in any of the three ways?"""
    return has_folders(folder) or (
        child(folder, VOTES) is not None and (has_pictures(folder) or bool(find_csv(folder)))
    )


def has_folders(folder: Path) -> bool:
    """Does each split have a folder with its label.csv?"""
    parts = [child(folder, name) for name in FOLDERS.values()]
    return all(part and child(part, "label.csv") for part in parts)


def has_pictures(folder: Path) -> bool:
    """Does each split have a folder with pictures?"""
    parts = [child(folder, name) for name in FOLDERS.values()]
    return all(part and next(part.glob("*.png"), None) for part in parts)


find = functools.partial(find_root, fits=is_root)


def read(root: Path, split: str, faults: list[Fault]) -> Listing:
    """The faces of `split` ("train", "validation" or "test")."""
    read_split = read_folder if has_folders(root) else read_names if has_pictures(root) else read_csv
    return Listing(official_samples(read_split(root, split, faults), split), EMOTIONS)


def read_folder(folder: Path, split: str, faults: list[Fault]) -> list[Sample]:
    """The rows of one split's label.csv, with ten vote counts each and no label yet."""
    part = child(folder, FOLDERS[split])
    path = child(part, "label.csv") if part else None
    assert path is not None
    voted: list[Sample] = []
    places: dict[str, str] = {}
    unlabelled = functools.partial(Sample, split=split, label=-1, file=path)  # the label is `official_samples`' to set
    for line, fields in read_rows(path):
        with collect_errors(faults, path, line):
            check_field_count(fields, 2 + len(COLUMNS), what="name, box and ten counts")
            name = fields[0]
            register_name(name, places, file=path, line=line)
            voted.append(unlabelled(name=name, picture=path.parent / name, line=line, votes=vote_counts(fields[2:])))
    return voted


def read_names(folder: Path, split: str, faults: list[Fault]) -> list[Sample]:
    """The rows of `split` in fer2013new.csv, joined by name to the pictures in the split's folder."""
    path, part = child(folder, VOTES), child(folder, FOLDERS[split])
    assert path is not None
    assert part is not None
    return [
        Sample(name, split, -1, part / name, path, line, votes=counts)
        for line, row in read_votes(path, faults).items()
        if row is not None and row[0] and row[1] == split
        for name, _, counts in [row]
    ]


def read_csv(folder: Path, split: str, faults: list[Fault]) -> list[Sample]:
    """The rows of `split` in both csv files, joined by line, with ten vote counts each and no label yet.

    Usage stands in both and must agree. A row without a name is a picture that the release dropped. Raises `UserError`
    where the order is not the published one.
    """
    path, votes_path = find_csv(folder), child(folder, VOTES)
    assert path is not None
    assert votes_path is not None
    votes = read_votes(votes_path, faults)
    names = [row[0] for row in votes.values() if row is not None and row[0]]
    voted: list[Sample] = []
    compared: list[tuple[int, int]] = []
    unlabelled = functools.partial(Sample, split=split, label=-1, file=path)
    for line, (emotion, usage, pixels) in read_records(path, ("emotion", "Usage", "pixels"), faults):
        with collect_errors(faults, path, line):
            if line not in votes:
                raise UserError(f"{VOTES} has no line {line} for this picture")
            row = votes.pop(line)
            if row is None:
                continue
            name, row_split, counts = row
            if row_split != split_of(usage):
                raise UserError(f"Usage is {usage!r} here, but not on line {line} of {VOTES}")
            if name and counts[: len(EMOTIONS)].any():
                label = EMOTIONS.index(LABELS[whole_number(emotion, len(LABELS) - 1)])
                compared.append((label, int(counts[: len(EMOTIONS)].argmax())))
            if row_split == split and name:
                voted.append(unlabelled(name=name, picture=grey_pixels(pixels), line=line, votes=counts))
    faults += [Fault(votes_path, line, f"{path.name} has no usable line {line} for these votes") for line in votes]
    check_order(votes_path, names, compared)
    return voted


def check_order(path: Path, names: Sequence[str], compared: Sequence[tuple[int, int]]) -> None:
    """Refuse votes whose rows are not in the order of FER2013's.

    names: those of fer2013new.csv, ascending as published. compared: (FER2013's label, the expression with most votes)
    of each row; they agree far beyond chance, by Cohen's kappa (Cohen 1960), in every block of rows.
    """
    remedy = "Rows of the two files can only be joined by their order: use both as they were published."
    descents = sum(first >= second for first, second in itertools.pairwise(names))
    if descents > DESCENTS * len(names):
        raise UserError(
            f"{path}: {descents} of {len(names)} names stand before a smaller one; as published they ascend. {remedy}"
        )
    first = 0
    for block in np.array_split(np.array(compared).reshape(-1, 2), max(round(len(compared) / BLOCK), 1)):
        if len(block) and kappa(block) < KAPPA:
            raise UserError(
                f"{path}: in rows {first + 1} to {first + len(block)} of those with votes for an expression, they "
                f"agree with FER2013's label hardly more often than by chance (kappa {kappa(block):.2f}, about 0.6 as "
                f"published). {remedy}"
            )
        first += len(block)


def kappa(pairs: np.ndarray) -> float:
    """Cohen's kappa of (N, 2) int class indices: (p_o - p_e) / (1 - p_e); 1 where both are always the same class."""
    shares = [np.bincount(column, minlength=len(EMOTIONS)) / len(pairs) for column in pairs.T]
    observed, chance = float((pairs[:, 0] == pairs[:, 1]).mean()), float(shares[0] @ shares[1])
    return 1.0 if chance == 1 else (observed - chance) / (1 - chance)


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
