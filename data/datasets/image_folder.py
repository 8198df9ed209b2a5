"""A folder of pictures, one folder a class: FER2013 as Kaggle has it, ImageNet, or anything else laid out so.

In:  class folders in train/, test/ and validation/ (or val/, Training/, PublicTest/, PrivateTest/, FER2013Train/, ...),
     or in one tree; pictures in them, or in folders in them. Any number of classes; the names of expressions become the
     project's own ("Happy" and "joy" are happiness), others stay themselves, in lower case.
Out: a `FaceSet` with labels only. Its classes are those of all splits: expressions in the order of `EMOTIONS`, then the
     other names by alphabet.

What is missing is split off train, the same faces every time and of each class: a fifth as test, then a tenth as
validation. With train/ and val/ alone, as ImageNet has it, val/ is the test. A split drawn here does not know who is
who: where one person gave several pictures, make train/ and test/ of different people yourself, or give a list with a
column `person` (data/datasets/csv_list.py).
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from data.faults import Fault, collect_errors
from data.layout import LEVELS, file_names, folders_in, is_leftover, picture_names, pictures_in
from data.samples import Listing, Sample, Samples
from data.sources.files import is_picture
from data.splits import TEST_SHARE, VALIDATION_SHARE, draw_faces, name_hashes
from support import UserError, count
from support.columns.numbers import Numbers
from support.columns.strings import Strings
from support.emotions import canonical_name, ordered_names

NAME = "image_folder"
SPLIT_FOLDERS = {
    "train": ("train", "training", "fer2013train"),
    "validation": ("validation", "valid", "val", "publictest", "fer2013valid"),
    "test": ("test", "testing", "privatetest", "fer2013test"),
}


def find(folder: Path) -> Path | None:
    """`folder`, or the only folder in it, and so on, that holds class folders or the folders of splits.

    These are two folders or more side by side, of which one has pictures.
    """
    if not folder.is_dir():
        return None
    for _ in range(LEVELS + 1):
        classes = folders_in(split_folders(folder)["train"])
        if len(classes) > 1 and any(next(pictures_in(path), None) for path in classes):
            return folder
        inside = folders_in(folder)
        if len(inside) != 1:
            return None
        folder = inside[0]
    return None


def read(root: Path, split: str, faults: list[Fault]) -> Listing:
    """The faces of `split`, of any size, named by their path in `root`."""
    parts, cut = split_folders(root), len(os.path.join(root, "")) if root != Path() else 0
    drawn = {"validation", "test"} - parts.keys()  # from train
    listed = "train" if split in drawn or (split == "train" and drawn) else split
    folders: list[Path] = []
    names, places = Strings(), Numbers()  # of the pictures that are listed: their rows in `folders`
    for part, part_folder in parts.items():
        for path in folders_in(part_folder):
            with collect_errors(faults, path, None):
                pictures = picture_names(str(path))
                first = next(pictures, None)
                if first is None:
                    raise UserError(f"this class folder holds no picture{_what_instead(path)}")
                folders.append(path)
                for picture in itertools.chain([first], pictures) if part == listed else ():
                    names.append(picture[cut:].replace(os.sep, "/"))
                    places.append(len(folders) - 1)
    classes = [canonical_name(path.name) for path in folders]
    class_names = ordered_names(set(classes))
    labels = [class_names.index(name) for name in classes]
    mine = np.ones(len(names), bool)
    if listed == "train":
        mine = draw(name_hashes(names), Numbers(labels).array()[places.array()], drawn)[split]
    chosen = itertools.compress(zip(names, places.array().data, strict=True), mine.data)
    samples = Samples(Sample(name, split, labels[at], os.path.join(root, name), folders[at]) for name, at in chosen)
    return Listing(samples, class_names)


def left_out(folder: Path) -> str:
    """A sentence on the pictures outside the class folders and the other files in them; "" where there are none."""
    root = find(folder)
    if root is None:
        return ""
    classes = [str(path) for part in split_folders(root).values() for path in folders_in(part)]
    around = file_names(str(folder), without=frozenset(map(os.path.realpath, classes)))
    outside = sum(map(is_picture, _readable(around)))
    others = sum(not is_picture(name) for path in classes for name in _readable(file_names(path)))
    pictures = f"{count(outside, 'picture')} {'lies' if outside == 1 else 'lie'} outside the class folders"
    files = count(others, "other file")
    if outside:
        return f"{pictures} and {files} in them: left out" if others else f"{pictures}: left out"
    return f"{files} {'lies' if others == 1 else 'lie'} in the class folders: left out" if others else ""


def _readable(names: Iterator[str]) -> Iterator[str]:
    """`names` up to a folder that cannot be read, which is a fault elsewhere."""
    with contextlib.suppress(UserError):
        yield from names


def draw(hashes: np.ndarray, labels: np.ndarray, splits: Collection[str]) -> dict[str, np.ndarray]:
    """(N,) bool by split: the faces of those of `splits`, drawn from all, and of train, the rest."""
    masks = {"train": np.ones(len(hashes), bool)}
    for split, share in (("test", TEST_SHARE), ("validation", VALIDATION_SHARE)):
        if split in splits:
            masks[split] = draw_faces(hashes, labels, masks["train"], share)
            masks["train"] &= ~masks[split]
    return masks


def split_folders(folder: Path) -> dict[str, Path]:
    """The folders of the splits that are there, by split; `folder` itself is "train" where it is one tree."""
    inside = {path.name.lower(): path for path in folders_in(folder)}
    found = {split: inside[name] for split, names in SPLIT_FOLDERS.items() for name in names if name in inside}
    if "train" not in found:
        return {"train": folder}
    if "test" not in found and "validation" in found:
        found["test"] = found.pop("validation")
    return found


def _what_instead(folder: Path) -> str:
    files = [path.name for path in sorted(folder.rglob("*")) if path.is_file() and not is_leftover(path.name)]
    return f", but {len(files)} other files, such as {files[0]}; is it another kind of picture?" if files else ""
