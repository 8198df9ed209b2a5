"""RAF-DB (Li, Deng & Du, CVPR 2017): 12,271 + 3,068 web faces, seven expressions, labelled by some forty people each.

In:  the official layout, or that of the reference demonstrator; data/raw/README.md draws both. The folder given may be
     the one that holds `EmoLabel` and `Image`, or its parent. In `EmoLabel`:
       official   list_patition_label.txt: `train_00001.jpg 5`, labels 1 to 7
       reference  emo_label_train.csv and emo_label_test.csv: `train_00001.jpg,4`, no header, labels 0 to 6
     Every other .csv there, and a `*distribution*.txt`, holds votes: a picture's name and seven counts or shares, in
     RAF-DB's order or in that of a header.
Out: a `FaceSet` of seven expressions, with attributes (gender, race, age) where `Annotation/manual` is there.

Votes are joined to labels by the picture's name. RAF-DB has no validation part: a tenth of train is split off.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePath

import numpy as np

from data.emotions import EMOTIONS, canonical_name
from data.face_set import FaceSet
from data.faults import Fault, collect_errors
from data.tables import (
    VALIDATION_SHARE,
    Sample,
    build_face_set,
    check_field_count,
    is_number,
    read_rows,
    register_name,
    split_off,
    vote_counts,
    whole_number,
)
from support import UserError

NAME = "raf_db"
RAF_ORDER = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
CLASS_NAMES = tuple(name for name in EMOTIONS if name in RAF_ORDER)
OFFICIAL = "list_patition_label.txt"  # RAF-DB's own spelling
REFERENCE = {"train": "emo_label_train.csv", "test": "emo_label_test.csv"}
ATTRIBUTES = {  # the last three of the eight lines of *_manu_attri.txt; five landmarks come first
    "gender": ("male", "female", "unsure"),
    "race": ("Caucasian", "African-American", "Asian"),
    "age": ("0-3", "4-19", "20-39", "40-69", "70+"),
}
LANDMARKS = 5


def recognise(folder: Path) -> bool:
    """True where `folder`, or a folder in it, holds RAF-DB's labels and aligned pictures."""
    return find_root(folder) is not None


def load(folder: Path, split: str, *, skip_bad: bool = False) -> FaceSet:
    """The faces of `split`, 100x100 pixels as RAF-DB aligned them."""
    root = find_root(folder)
    if root is None:
        raise UserError(f"{folder} holds no EmoLabel with labels beside Image/aligned; see data/raw/README.md.")
    faults: list[Fault] = []
    samples = split_off(read_labels(root, faults), VALIDATION_SHARE, split="validation")
    samples = [sample for sample in join_votes(root, samples, faults) if sample.split == split]
    samples = join_attributes(root, samples, faults)
    return build_face_set(samples, faults, split=split, class_names=CLASS_NAMES, skip_bad=skip_bad)


def find_root(folder: Path) -> Path | None:
    """`folder`, or the first folder in it, that holds `EmoLabel` with labels and `Image/aligned`."""
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    return next((path for path in (folder, *inside) if label_files(path) and (path / "Image/aligned").is_dir()), None)


def label_files(root: Path) -> list[tuple[Path, int, str | None]]:
    """(file, its lowest label, its split, or None where names tell the split); the official list comes first."""
    labels = root / "EmoLabel"
    if (labels / OFFICIAL).is_file():
        return [(labels / OFFICIAL, 1, None)]
    if not all((labels / name).is_file() for name in REFERENCE.values()):
        return []
    return [(labels / name, 0, split) for split, name in REFERENCE.items()]


def read_labels(root: Path, faults: list[Fault]) -> list[Sample]:
    """Every picture that the label files name, without votes."""
    samples: list[Sample] = []
    places: dict[str, str] = {}
    for path, first, split in label_files(root):
        for line, fields in read_rows(path):
            with collect_errors(faults, path, line):
                check_field_count(fields, 2, what="a picture's name and its label")
                number = whole_number(fields[1], first + len(RAF_ORDER) - 1, first=first)
                key = key_of(fields[0])
                picture = f"{key}_aligned{PurePath(fields[0]).suffix}"
                sample = Sample(
                    name=picture,
                    split=split or split_of(key),
                    label=CLASS_NAMES.index(RAF_ORDER[number - first]),
                    picture=root / "Image" / "aligned" / picture,
                    file=path,
                    line=line,
                )
                register_name(key, places, file=path, line=line)
                samples.append(sample)
    return samples


def key_of(name: str) -> str:
    """`train_00001` for train_00001.jpg as for aligned/train_00001_aligned.jpg: what tables are joined by."""
    return PurePath(name).stem.removesuffix("_aligned")


def split_of(key: str) -> str:
    """The split that the official list writes into names."""
    for split in ("train", "test"):
        if key.startswith(f"{split}_"):
            return split
    raise UserError(f"the picture's name must begin with train_ or test_, not {key!r}")


def join_votes(root: Path, samples: list[Sample], faults: list[Fault]) -> list[Sample]:
    """`samples` with their votes, by name; as they are where there is no file of votes at all."""
    labels = root / "EmoLabel"
    files = [path for path in sorted(labels.glob("*.csv")) if path.name not in REFERENCE.values()]
    files += sorted(labels.glob("*distribution*.txt"))
    if not files:
        return samples
    votes, joined = read_votes(files, faults), []
    for sample in samples:
        key = key_of(sample.name)
        with collect_errors(faults, sample.file, sample.line):
            if key not in votes:
                raise UserError(f"{key} has no votes in {', '.join(path.name for path in files)}")
            if votes[key] is not None:
                joined.append(dataclasses.replace(sample, votes=votes[key]))
    return joined


def read_votes(files: list[Path], faults: list[Fault]) -> dict[str, np.ndarray | None]:
    """(7,) float32 votes in the order of `CLASS_NAMES`, by the picture's key; None where they were a fault."""
    votes: dict[str, np.ndarray | None] = {}
    places: dict[str, str] = {}
    for path in files:
        rows = list(read_rows(path))
        order: tuple[str, ...] = RAF_ORDER
        if rows and len(rows[0][1]) > 1 and not any(is_number(text) for text in rows[0][1][1:]):
            order = header_order(path, rows.pop(0)[1])
        for line, fields in rows:
            with collect_errors(faults, path, line):
                check_field_count(fields, 1 + len(RAF_ORDER), what="a picture's name and seven votes")
                key = key_of(fields[0])
                register_name(key, places, file=path, line=line)
                votes[key] = None
                votes[key] = vote_counts(fields[1:])[[order.index(name) for name in CLASS_NAMES]]
    return votes


def header_order(path: Path, header: list[str]) -> tuple[str, ...]:
    """The seven class names in the order of a header's columns, the first of which is the picture's name."""
    order = tuple(canonical_name(word) for word in header[1:])
    if sorted(order) != sorted(RAF_ORDER):
        raise UserError(
            f"the header of {path} must name the picture, then {', '.join(RAF_ORDER)} in any order, "
            f"not {', '.join(header)}; mend it or take it away."
        )
    return order


def join_attributes(root: Path, samples: list[Sample], faults: list[Fault]) -> list[Sample]:
    """`samples` with gender, race and age; as they are where there is no `Annotation/manual`."""
    folder = root / "Annotation" / "manual"
    if not folder.is_dir():
        return samples
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
