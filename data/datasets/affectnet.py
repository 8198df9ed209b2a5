"""AffectNet (Mollahosseini et al. 2017): about 290,000 labelled web faces, eight expressions, one label each.

In:  the release of cropped faces: train_set/images/0.jpg, train_set/annotations/0_exp.npy, val_set/...; or the full
     one: training.csv and validation.csv with the columns subDirectory_filePath, face_x, face_y, face_width,
     face_height and expression, and the pictures in Manually_Annotated_Images/ or beside the lists.
Out: a `FaceSet` with labels only. Labels count Neutral, Happy, Sad, Surprise, Fear, Disgust, Anger, Contempt from 0;
     8 to 10 (none, uncertain, no face) are left out. Pictures of the full release are cut to the face's box.

The published validation set is the test, as papers have it; a tenth of train, of each class, is the validation part.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.faults import Fault, collect_errors
from data.layout import child, find_root, pictures_in
from data.samples import Listing, Sample
from data.splits import VALIDATION_SHARE, split_off
from data.tables import box_numbers, read_header, read_records, register_name, whole_number
from support import UserError
from support.emotions import EMOTIONS, canonical_name

NAME = "affectnet"
CLASS_NAMES = EMOTIONS
LABELS = tuple(map(canonical_name, ("Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "Contempt")))
NOTHING = 10  # the last of the labels that are no expression
SETS = {"train": "train_set", "test": "val_set"}
LISTS = {"train": ("training.csv", "train.csv"), "test": ("validation.csv", "val.csv")}
COLUMNS = ("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "expression")
IMAGES = ("Manually_Annotated_Images", "Manually_Annotated", "Manually_Annotated_compressed", "images")


def is_root(folder: Path) -> bool:
    """Is `folder` itself laid out like one of the two releases?"""
    return is_cropped(folder) or bool(lists_of(folder))


def is_cropped(folder: Path) -> bool:
    """Does each set have its pictures and annotations?"""
    parts = [child(folder, name) for name in SETS.values()]
    return all(part and child(part, "images") and child(part, "annotations") for part in parts)


def lists_of(folder: Path) -> dict[str, Path]:
    """The two lists of the full release in `folder`, by split; none where they are not both there."""
    found = {split: child(folder, *names) for split, names in LISTS.items()}
    fitting = {
        split: path
        for split, path in found.items()
        if path and path.is_file() and {name.lower() for name in COLUMNS} <= set(read_header(path))
    }
    return fitting if len(fitting) == len(LISTS) else {}


find = functools.partial(find_root, fits=is_root)


def read(root: Path, split: str, faults: list[Fault]) -> Listing:
    """The faces of `split`."""
    samples = read_sets(root, faults) if is_cropped(root) else read_lists(root, faults)
    return Listing(split_off(samples, VALIDATION_SHARE, split="validation"), CLASS_NAMES)


def label_of(text: str) -> int | None:
    """The index in `CLASS_NAMES` of AffectNet's number; None for what is no expression."""
    number = whole_number(text, NOTHING)
    return CLASS_NAMES.index(LABELS[number]) if number < len(LABELS) else None


def read_sets(root: Path, faults: list[Fault]) -> Iterator[Sample]:
    """The faces of train_set and val_set, each with its annotation of one number."""
    for split, name in SETS.items():
        part = child(root, name) or root
        images, annotations = child(part, "images") or part, child(part, "annotations") or part
        for picture in pictures_in(images):
            path = annotations / f"{picture.stem}_exp.npy"
            with collect_errors(faults, path, None):
                label = label_of(read_number(path))
                if label is not None:
                    yield Sample(picture.relative_to(root).as_posix(), split, label, picture, path)


def read_number(path: Path) -> str:
    """The one value in an .npy file, a text or a number, as text."""
    try:
        value = np.load(path, allow_pickle=False)
        count, text = value.size, str(value.reshape(-1)[0]) if value.size else ""
    except OSError as error:
        raise UserError(f"there is no annotation for this picture: {error.strerror or error}") from error
    except Exception as error:  # an .npz has no size; numpy reads the header as Python, whose parser has its own errors
        raise UserError(f"this is no .npy file of one label: {error}") from error
    if count != 1:
        raise UserError(f"wanted one label, found {count} values")
    return text.removesuffix(".0")


def read_lists(root: Path, faults: list[Fault]) -> Iterator[Sample]:
    """The faces that training.csv and validation.csv list, each with its box."""
    pictures = child(root, *IMAGES) or root
    places: dict[str, str] = {}
    for split, path in lists_of(root).items():
        for line, (name, *box, expression) in read_records(path, COLUMNS, faults):
            with collect_errors(faults, path, line):
                label = label_of(expression)
                if label is None:
                    continue
                register_name(name, places, file=path, line=line)
                x, y, width, height = box_numbers(box)
                yield Sample(name, split, label, pictures / name, path, line, box_xyxy=(x, y, x + width, y + height))
