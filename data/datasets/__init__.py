"""The data sets, one format a file, whose docstring's first line says which it is.

Each has NAME; recognise(folder): is the folder laid out so?; and load(folder, split, skip_bad=) -> FaceSet, which
raises `FaultyData` where rows cannot be used, and with `skip_bad` leaves them out with a warning. A format that lets
only some of a split's faces count says which in PROTOCOL.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

from data.face_set import FaceSet, with_labels_for_votes, without_duplicates
from data.tables import SPLITS
from support import UserError

ASKED_LAST = "image_folder"  # fits almost any tree of pictures
Format = ModuleType  # of this folder


@functools.cache
def all_formats() -> dict[str, Format]:
    """Every format of this folder, by its NAME, in the order in which they are asked."""
    modules = [importlib.import_module(f"{__name__}.{entry.name}") for entry in pkgutil.iter_modules(__path__)]
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
