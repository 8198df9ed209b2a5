"""A folder of pictures, one folder a class: CK+, JAFFE, FERG, AffectNet subsets, or anything else laid out so.

In:  class folders in train/, test/ and validation/ (or val/), or in one tree. Any number of classes; the names of
     expressions become the project's own ("Happy" and "joy" are happiness), others stay themselves, in lower case.
Out: a `FaceSet` with labels only. Its classes are those of all splits: expressions in the order of `EMOTIONS`, then the
     other names by alphabet.

What is missing is split off train, the same faces every time and of each class: a fifth as test, then a tenth as
validation. With train/ and val/ alone, as ImageNet has it, val/ is the test. A split drawn here does not know who is
who: where one person gave several pictures (CK+, JAFFE, FERG), make train/ and test/ of different people yourself.
"""

from __future__ import annotations

from pathlib import Path

from data.emotions import EMOTIONS, canonical_name
from data.face_set import FaceSet
from data.sources.pictures import is_picture
from data.tables import VALIDATION_SHARE, Sample, build_face_set, split_off

NAME = "image_folder"
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
TEST_SHARE = 0.2


def recognise(folder: Path) -> bool:
    """True where two folders or more with pictures stand side by side, in train/ or in `folder` itself."""
    return len(class_folders(split_folders(folder)["train"])) > 1


def load(folder: Path, split: str, *, skip_bad: bool = False) -> FaceSet:
    """The faces of `split`, of any size, named by their path in `folder`."""
    parts = split_folders(folder)
    classes = {(part, path): canonical_name(path.name) for part in parts for path in class_folders(parts[part])}
    class_names = ordered(set(classes.values()))
    samples = [
        Sample(
            name=picture.relative_to(folder).as_posix(),
            split=part,
            label=class_names.index(class_name),
            picture=picture,
            file=path,
        )
        for (part, path), class_name in classes.items()
        for picture in pictures_in(path)
    ]
    if "test" not in parts:
        samples = split_off(samples, TEST_SHARE, split="test")
    if "validation" not in parts:
        samples = split_off(samples, VALIDATION_SHARE, split="validation")
    return build_face_set(samples, [], split=split, class_names=class_names, skip_bad=skip_bad)


def split_folders(folder: Path) -> dict[str, Path]:
    """The folders of the splits that are there, by split; `folder` itself is "train" where it is one tree."""
    inside = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    found = {split: inside[name] for split, names in SPLIT_FOLDERS.items() for name in names if name in inside}
    if "train" not in found:
        return {"train": folder}
    if "test" not in found and "validation" in found:
        found["test"] = found.pop("validation")
    return found


def class_folders(folder: Path) -> list[Path]:
    """The folders in `folder` that hold pictures, by name."""
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and any(pictures_in(path))]


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in `folder`, by name; names that begin with a dot are some system's own files."""
    return sorted(path for path in folder.iterdir() if is_picture(path) and not path.name.startswith("."))


def ordered(names: set[str]) -> tuple[str, ...]:
    """Expressions in the order of `EMOTIONS`, then the other names by alphabet."""
    return (*(name for name in EMOTIONS if name in names), *sorted(names - set(EMOTIONS)))
