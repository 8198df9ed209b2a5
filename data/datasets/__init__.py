"""The data sets, one format a file: each has NAME, recognise(folder) and load(folder, split, skip_bad=) -> FaceSet.

A format that lets only some of a split's faces count says which in PROTOCOL.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from pathlib import Path
from typing import Protocol, cast

from data.face_set import FaceSet, with_labels_for_votes, without_duplicates
from data.tables import SPLITS
from support import UserError

ASKED_LAST = "image_folder"  # fits almost any tree of pictures


class Format(Protocol):
    """What a module of this folder has; its docstring's first line says which data set it is."""

    NAME: str

    @staticmethod
    def recognise(folder: Path) -> bool:
        """Is `folder` laid out so?"""

    @staticmethod
    def load(folder: Path, split: str, *, skip_bad: bool = False) -> FaceSet:
        """The faces of `split`; `FaultyData` where rows cannot be used, with `skip_bad` a warning instead."""


@functools.cache
def all_formats() -> dict[str, Format]:
    """Every format of this folder, by its NAME, in the order in which they are asked."""
    names = [f"{__name__}.{entry.name}" for entry in pkgutil.iter_modules(__path__)]
    modules = [cast(Format, importlib.import_module(name)) for name in names]
    return {module.NAME: module for module in sorted(modules, key=lambda module: module.NAME == ASKED_LAST)}


def find_format(folder: str | Path, *, name: str = "") -> Format:
    """The format of `folder`, recognised by its layout; with `name` it must be that one. Raises `UserError`."""
    folder, formats = Path(folder), all_formats()
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; name the data set's folder with --data-path.")
    if name and name not in formats:
        raise UserError(f"--dataset takes {', '.join(formats)}, not {name!r}.")
    fitting = [formats[known] for known in ([name] if name else formats) if formats[known].recognise(folder)]
    if not fitting:
        raise UserError(f"{folder} is not laid out like {name or ' or '.join(formats)}; see data/raw/README.md.")
    return fitting[0]


def load_faces(folder: str | Path, split: str, *, name: str = "", skip_bad: bool = False) -> FaceSet:
    """The faces of `split`, one of train, validation and test, in `folder`, a data set of the format `name`.

    Without `name` the format is recognised by its layout. Rows that cannot be used raise `FaultyData`; with `skip_bad`
    they are left out with a warning.
    """
    if split not in SPLITS:
        raise UserError(f"the split must be one of {', '.join(SPLITS)}, not {split!r}.")
    return find_format(folder, name=name).load(Path(folder), split, skip_bad=skip_bad)


def load_for_training(
    folder: str | Path, *, name: str = "", skip_bad: bool = False, labels_only: bool = False
) -> tuple[FaceSet, FaceSet]:
    """Train, less every picture that stands in validation or test too, and validation; see `load_faces`.

    labels_only: train on the labels, one-hot, where there are votes, too.
    """
    train, *others = (load_faces(folder, split, name=name, skip_bad=skip_bad) for split in SPLITS)
    return without_duplicates(with_labels_for_votes(train) if labels_only else train, *others), others[0]
