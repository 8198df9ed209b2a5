"""The data sets, one format a file (_NAME.py: what a format needs), whose docstring's first line says which it is.

Each has NAME; find(path): the folder (or list) that is laid out so, `path` or one in it, None where there is none; and
read(root, split, faults) -> Listing, the faces of a split in what `find` gave, as they are listed, not decoded. One
that lets only some of a split's faces count says which in PROTOCOL; one whose makers published how many training faces
each class has, in PUBLISHED; one whose folders may hold files that nobody reads says how many in left_out(path).
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import itertools
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from data.doubts import find_doubts, refuse_doubts, vote_order
from data.face_set import FaceSet, NoFaces, concatenate, map_classes, with_labels_for_votes, without_duplicates
from data.faults import Fault
from data.layout import unpacked
from data.pictures.store import Storage
from data.samples import build_face_set, samples_of
from data.tables import ALL, SPLITS, check_field_count, read_rows
from support import UserError, notify
from support.emotions import LONGEST_NAME, canonical_name, is_name
from support.memory import return_freed_memory

ASKED_LAST = "image_folder"  # fits almost any tree of pictures
Format = ModuleType  # of this folder


@functools.cache
def all_formats() -> dict[str, Format]:
    """Every format of this folder, by its NAME, in the order in which they are asked."""
    names = [entry.name for entry in pkgutil.iter_modules(__path__) if not entry.name.startswith("_")]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {module.NAME: module for module in sorted(modules, key=lambda module: module.NAME == ASKED_LAST)}


def find_folder(path: str | Path) -> Path:
    """The folder that `path` names, or is unpacked to; or the .csv itself. Raises `UserError` where it is not there."""
    path = Path(path)
    if path.is_file() and path.suffix.lower() == ".zip":
        return unpacked(path)
    if not path.is_dir() and not (path.is_file() and path.suffix.lower() == ".csv"):
        raise UserError(f"{path} is no folder, .zip or .csv of a data set; name one.")
    return path


def find_format(folder: str | Path, *, name: str = "") -> Format:
    """The format of `folder`, recognised by its layout; with `name` it must be that one. Raises `UserError`."""
    path, formats = find_folder(folder), all_formats()
    if name and name not in formats:
        raise UserError(f"--dataset takes {', '.join(formats)}, not {name!r}.")
    fitting = [formats[known] for known in ([name] if name else formats) if formats[known].find(path)]
    if not fitting:
        raise UserError(f"{folder} is not laid out like {name or ' or '.join(formats)}; see data/raw/README.md.")
    return fitting[0]


def load_faces(
    folder: str | Path,
    split: str,
    *,
    name: str = "",
    skip_bad: bool = False,
    classes: str = "",
    storage: Storage | None = None,
) -> FaceSet:
    """The faces of `split`, one of train, validation, test and all.

    folder: or a .zip of it, or a list in a .csv. name: its format; "": recognised by its layout.
    skip_bad: leave rows that cannot be used out with a warning, instead of raising `FaultyData`.
    classes: a file by which class names are changed; see `read_class_map`.
    storage: how pictures are kept; None: all decoded, in memory.
    """
    if split not in (*SPLITS, ALL):
        raise UserError(f"the split must be one of {', '.join(SPLITS)} or {ALL}, not {split!r}.")
    load = functools.partial(
        load_format, find_format(folder, name=name), folder, skip_bad=skip_bad, classes=classes, storage=storage
    )
    if split != ALL:
        return load(split)
    parts: list[FaceSet] = []
    empty: list[NoFaces] = []
    for part in SPLITS:
        try:
            parts.append(load(part))
        except NoFaces as error:  # a list may have none for validation
            empty.append(error)
    if not parts:
        raise empty[0]
    return concatenate(parts)


def load_format(
    layout: Format,
    folder: str | Path,
    split: str,
    *,
    skip_bad: bool = False,
    classes: str = "",
    storage: Storage | None = None,
) -> FaceSet:
    """As `load_faces`, of one of train, validation and test, in a `folder` of this format."""
    mapping = read_class_map(classes) if classes else {}
    root = layout.find(find_folder(folder))
    if root is None:
        raise UserError(f"{folder} is not laid out like {layout.NAME}; see data/raw/README.md.")
    faults: list[Fault] = []
    samples, class_names = layout.read(root, split, faults)
    samples = samples_of(samples, split)  # here, so that nobody holds those of other splits
    faces = build_face_set(samples, faults, split=split, class_names=class_names, skip_bad=skip_bad, storage=storage)
    return map_classes(faces, mapping) if mapping else faces


def load_for_training(
    folder: str | Path,
    *,
    name: str = "",
    skip_bad: bool = False,
    labels_only: bool = False,
    classes: str = "",
    accept: Sequence[str] = (),
    storage: Storage | None = None,
) -> tuple[FaceSet, FaceSet]:
    """Train, less every picture that stands in validation or test too, and validation; see `load_faces`.

    Only train's pictures are shrunk, where `storage` shrinks; those of test are not decoded.

    labels_only: train on the labels, one-hot, where there are votes, too. accept: doubts (data/doubts.py) in spite of
    which the data set is trained on. Says how many faces are left out.
    """
    layout = find_format(folder, name=name)
    storage = storage or Storage()
    storages = storage, dataclasses.replace(storage, cache=None), dataclasses.replace(storage, check=False)
    train, *others = (
        load_format(layout, folder, split, skip_bad=skip_bad, classes=classes, storage=of_split)
        for split, of_split in zip(SPLITS, storages, strict=True)
    )
    published = {} if classes else getattr(layout, "PUBLISHED", {})
    doubts = [vote_order(faces, split) for faces, split in zip(others, SPLITS[1:], strict=True)]
    refuse_doubts([*find_doubts(train, published), *itertools.chain(*doubts)], accept)
    shown = np.unique(others[0].labels)
    if len(shown) == 1:
        notify(f"every validation face is labelled {others[0].class_names[shown[0]]}: scores there tell little")
    return prepare_for_training(train, *others, labels_only=labels_only), others[0]


def prepare_for_training(train: FaceSet, *others: FaceSet, labels_only: bool = False) -> FaceSet:
    """`train` less what stands in `others` too, which is said; with `labels_only`, its labels in place of votes.

    Raises `UserError` where a class has a name that no checkpoint could hold.
    """
    for class_name in train.class_names:
        if not is_name(class_name):
            raise UserError(
                f"a class is named by 1 to {LONGEST_NAME} printable characters, not {class_name!r:.110}; rename it, or "
                "map it (--classes FILE)."
            )
    kept = without_duplicates(with_labels_for_votes(train) if labels_only else train, *others)
    if len(kept) < len(train):
        notify(
            f"{len(train) - len(kept)} of {len(train)} training faces are left out: the same pictures stand in "
            "validation or test"
        )
    return_freed_memory()
    return kept


def read_class_map(path: str | Path) -> dict[str, str]:
    """{a data set's own name of a class: ours}, from a text file of `name,class` rows in .csv, else `name class`.

    Rows may have a header of just these words. "-" leaves a class out. Names are compared as `canonical_name` has them.
    Raises `UserError` for an empty name, and for two classes of one name.
    """
    mapping: dict[str, str] = {}
    for line, fields in read_rows(Path(path)):
        check_field_count(fields, 2, what=f"a name and a class, in line {line} of {path}")
        old, new = map(canonical_name, fields)
        if (old, new) == ("name", "class"):
            continue
        if not (old and new):
            raise UserError(f"{path}:{line} must be a name and a class, or - for none, not {','.join(fields)!r}.")
        target = "" if new == "-" else new
        if mapping.setdefault(old, target) != target:
            raise UserError(f"{path}:{line} gives {old} a second class, {fields[1]}; {fields[0]} is read as {old}.")
    return mapping
