"""A list of pictures in a .csv: anything that has no format of its own here.

In:  FILE.csv, or a folder that holds one such file, with a header that names `path` and `label`, or `path` and votes
     `p_<class>` (p_happy,p_sad,...), or all of these; with commas, semicolons or tabs. Paths count from the list's
     folder. Any of these columns may be there too:
       split   train, validation (val) or test; empty: train
       person  who it is, never empty: all pictures of a person then go the same way where a split is drawn
       others  become attributes; the scores are also given by group for each of at most 50 values
Out: a `FaceSet`. Class names become the project's own as in data/datasets/image_folder.py. Without `label` a face's
     label is its top vote; a face with a tie for the top is left out of validation and test. Both hold for the list's
     own classes, before --classes changes them.

Parts that no row names are split off train: a fifth as test, then a tenth as validation.
"""

from __future__ import annotations

import posixpath
from pathlib import Path

import numpy as np

from data.faults import Fault, collect_errors
from data.samples import Listing, Sample, Samples
from data.splits import name_hashes, split_off_missing
from data.tables import SPLITS, read_header, read_records, vote_counts
from support import UserError
from support.columns.numbers import repeated
from support.emotions import canonical_name, ordered_names

NAME = "csv_list"
VOTE = "p_"
SPLIT_WORDS = {"train": "train", "training": "train", "": "train", "validation": "validation", "valid": "validation",
               "val": "validation", "test": "test", "testing": "test"}  # fmt: skip


def find(path: Path) -> Path | None:
    """The list that `path` is, or that is the only one in it."""
    found = [path] if path.is_file() else [file for file in sorted(path.iterdir()) if file.suffix.lower() == ".csv"]
    found = [file for file in found if is_list(file)]
    return found[0] if len(found) == 1 else None


def is_list(path: Path) -> bool:
    """Does the header name pictures, and labels or votes?"""
    try:
        header = read_header(path)
    except UserError:  # not text
        return False
    return "path" in header and ("label" in header or any(name.startswith(VOTE) for name in header))


def read(file: Path, split: str, faults: list[Fault]) -> Listing:
    """The faces of `split`, named by their path in the list."""
    header = read_header(file)
    if twice := {name for name in header if header.count(name) > 1}:
        raise UserError(f"{file}:1 names the column {', '.join(sorted(twice))} twice; name each once.")
    columns = [name for name in header if name.startswith(VOTE)]
    voted = [canonical_name(name.removeprefix(VOTE)) for name in columns]
    labels = () if columns else read_records(file, ("label",), [])
    words = {canonical_name(label) for _, (label,) in labels if label}
    if "" in voted:
        raise UserError(f"{file}:1 has a column {VOTE} without a class; name it {VOTE}<class>, as in {VOTE}happy.")
    if len(set(voted)) < len(voted):
        raise UserError(f"{file}:1 has two columns of votes for one class; they are for {', '.join(voted)}.")
    class_names = ordered_names(words | set(voted))
    samples = Samples()
    for line, fields in read_records(file, header, faults):
        record = dict(zip(header, fields, strict=True))
        with collect_errors(faults, file, line):
            if not record.get("person", "unknown"):
                raise UserError("the person is empty; say who it is, or give each who is not known a name of their own")
            counts = vote_counts([record[name] for name in columns]) if columns else None
            if counts is not None:
                counts = counts[[voted.index(name) for name in class_names]]
            sample = Sample(
                name=posixpath.normpath(record["path"]),  # ./a.png is a.png
                split=split_of(record.get("split", "")),
                label=label_of(record, class_names, counts),
                picture=file.parent / record["path"],
                file=file,
                line=line,
                votes=counts,
                person=record.get("person", ""),
                attributes={
                    name: value
                    for name, value in record.items()
                    if name not in ("path", "label", "split", "person") and not name.startswith(VOTE)
                },
            )
            samples.append(sample)
    samples = split_off_missing(listed_once(samples, faults))
    return Listing(samples if "label" in header else without_ties(samples), class_names)


def without_ties(samples: Samples) -> Samples:
    """`samples`, all with votes, less those of validation and test whose top vote is a tie."""
    if not samples:
        return samples
    votes = samples.votes(np.arange(len(samples)))
    kept = ((votes == votes.max(axis=1, keepdims=True)).sum(axis=1) == 1) | samples.splits.equal("train")
    return samples if kept.all() else samples[kept]


def listed_once(samples: Samples, faults: list[Fault]) -> Samples:
    """`samples` less those of a picture that stands further up; these are faults."""
    kept = np.ones(len(samples), bool)
    first: dict[str, Sample] = {}
    for row in np.flatnonzero(repeated(name_hashes(samples.names))).tolist():
        sample = samples[row]
        earlier = first.setdefault(sample.name, sample)
        kept[row] = earlier is sample
        with collect_errors(faults, sample.file, sample.line):
            if earlier is not sample:
                raise UserError(f"{earlier.name} is a duplicate of {earlier.file.name}:{earlier.line}")
    return samples if kept.all() else samples[kept]


def split_of(word: str) -> str:
    """The split that a list's word for it means."""
    if word.lower() not in SPLIT_WORDS:
        raise UserError(f"split must be one of {', '.join(SPLITS)}, not {word!r}")
    return SPLIT_WORDS[word.lower()]


def label_of(record: dict[str, str], class_names: tuple[str, ...], counts: np.ndarray | None) -> int:
    """The index of the row's label; of its top vote where the list has no labels."""
    if "label" not in record:
        assert counts is not None
        return int(counts.argmax())
    word = canonical_name(record["label"])
    if word not in class_names:
        raise UserError(f"the label must be one of {', '.join(class_names)}, not {record['label']!r}")
    return class_names.index(word)
