"""RAF-DB (Li, Deng & Du, CVPR 2017): 12,271 + 3,068 web faces, seven expressions, labelled by some forty people each.

In:  the official layout (a folder, its .zip, or with aligned.zip and manual.zip still packed), that of the reference
     demonstrator, or Kaggle's export; data/raw/README.md draws them. The folder given may be the one that holds
     `EmoLabel` and `Image` (Kaggle: `train` and `test`), or one that holds it. In `EmoLabel`:
       official   list_patition_label.txt: `train_00001.jpg 5`, labels 1 to 7; 1 to 11 in the compound part
       reference  emo_label_train.csv and emo_label_test.csv: `train_00001.jpg,4`, no header, labels 0 to 6
     Every other .csv there, and a `*distribution*.txt`, holds votes (_raf_annotations.py).
     Kaggle has train/1/*.jpg to train/7/*.jpg, test/..., and train_labels.csv and test_labels.csv beside them or above.
Out: the basic part has seven expressions, the compound part eleven, such as "happily surprised"; with attributes
     (gender, race, age) where `Annotation/manual` or its .zip is there.

Votes are joined to labels by the picture's name. RAF-DB has no validation part: a tenth of train is split off.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from data.datasets._raf_annotations import RAF_ORDER, join_attributes, join_votes, key_of
from data.faults import Fault, collect_errors
from data.layout import child, child_or_zip, contents, find_root, folders_in, pictures_in
from data.samples import Listing, Sample, samples_of
from data.splits import VALIDATION_SHARE, split_off
from data.tables import DIGITS, check_field_count, read_records, read_rows, register_name, whole_number
from support import UserError
from support.emotions import EMOTIONS

NAME = "raf_db"
CLASS_NAMES = tuple(name for name in EMOTIONS if name in RAF_ORDER)
COMPOUND = ("happily surprised", "happily disgusted", "sadly fearful", "sadly angry", "sadly surprised",
            "sadly disgusted", "fearfully angry", "fearfully surprised", "angrily surprised", "angrily disgusted",
            "disgustedly surprised")  # fmt: skip
PUBLISHED = {"surprise": 1290, "fear": 281, "disgust": 717, "happiness": 4772, "sadness": 1982, "anger": 705,
             "neutral": 2524}  # fmt: skip
OFFICIAL = "list_patition_label.txt"  # RAF-DB's own spelling
REFERENCE = {"train": "emo_label_train.csv", "test": "emo_label_test.csv"}
KAGGLE = {"train": "train_labels.csv", "test": "test_labels.csv"}
ANOTHER_SCHEME = 0.01  # share of labels out of range above which they are no slips


def find(folder: Path) -> Path | None:
    """`folder`, or a folder in it, that holds RAF-DB's labels and aligned pictures."""
    return find_root(folder, is_kaggle) or find_root(folder, is_official)


def read(root: Path, split: str, faults: list[Fault]) -> Listing:
    """The faces of `split`, 100x100 pixels as RAF-DB aligned them."""
    if is_kaggle(root):
        return Listing(split_off(read_kaggle(root, faults), VALIDATION_SHARE, split="validation"), CLASS_NAMES)
    samples, class_names = read_labels(root, faults)
    drawn = split_off(samples, VALIDATION_SHARE, split="validation")
    samples = join_votes(
        root,
        list(samples_of(drawn, split)),
        faults,
        order=RAF_ORDER if class_names == CLASS_NAMES else class_names,
        class_names=class_names,
        label_files=set(REFERENCE.values()),
    )
    return Listing(join_attributes(root, samples, faults), class_names)


def is_official(path: Path) -> bool:
    """Does `path` hold `EmoLabel` with labels, and `Image` with aligned pictures or their .zip?"""
    return bool(label_files(path)) and aligned(path) is not None


def aligned(root: Path) -> Path | None:
    """`Image/aligned`, or `Image/aligned.zip`, in any case."""
    image = child(root, "Image")
    return child_or_zip(image, "aligned") if image else None


def is_kaggle(path: Path) -> bool:
    """Does `path` hold train and test with folders that are numbered 1 to 7?"""
    parts = [child(path, split) for split in KAGGLE]
    numbers = {str(number) for number in range(1, len(RAF_ORDER) + 1)}
    return all(part and part.is_dir() and {p.name for p in folders_in(part)} == numbers for part in parts)


def label_files(root: Path) -> list[tuple[Path, int, str | None]]:
    """(file, its lowest label, its split, or None where names tell the split); the official list comes first."""
    labels = child(root, "EmoLabel")
    if labels and (official := child(labels, OFFICIAL)):
        return [(official, 1, None)]
    found = [(child(labels, name) if labels else None, 0, split) for split, name in REFERENCE.items()]
    return [(path, first, split) for path, first, split in found if path] if all(path for path, *_ in found) else []


def read_labels(root: Path, faults: list[Fault]) -> tuple[list[Sample], tuple[str, ...]]:
    """Every picture that the label files name, without votes; and the names of the classes."""
    files = [(path, first, split, list(read_rows(path))) for path, first, split in label_files(root)]
    pictures = aligned(root)
    assert pictures is not None
    folder = contents(pictures, "aligned")
    by_key = {key_of(path.name).lower(): path for path in pictures_in(folder)}
    samples: list[Sample] = []
    places: dict[str, str] = {}
    names: tuple[str, ...] = RAF_ORDER
    for path, first, split, rows in files:
        names = label_scheme(path, [fields[1] for _, fields in rows if len(fields) == 2], first)
        class_names = CLASS_NAMES if names == RAF_ORDER else names
        for line, fields in rows:
            with collect_errors(faults, path, line):
                check_field_count(fields, 2, what="a picture's name and its label")
                number = whole_number(fields[1], first + len(names) - 1, first=first)
                key = key_of(fields[0])
                part = split or split_of(key)
                register_name(key.lower(), places, file=path, line=line)
                # one that is missing has the name that it should have
                picture = by_key.get(key.lower(), folder / f"{key}_aligned{PurePath(fields[0]).suffix}")
                label = class_names.index(names[number - first])
                samples.append(Sample(picture.name, part, label, picture, path, line))
    return samples, CLASS_NAMES if names == RAF_ORDER else names


def label_scheme(path: Path, labels: list[str], first: int) -> tuple[str, ...]:
    """The names that a file's labels count, by which numbers occur in it: the basic seven, or the compound eleven.

    Raises `UserError` where more than `ANOTHER_SCHEME` of the labels are of neither: with --skip-bad the other ones
    would be trained on with wrong names.
    """
    numbers = [int(text) for text in labels if text.isdecimal() and len(text) <= DIGITS]
    if first == 1 and set(range(8, 12)) <= set(numbers) <= set(range(1, 12)):
        return COMPOUND
    outside = [number for number in numbers if not first <= number < first + len(RAF_ORDER)]
    if len(outside) > ANOTHER_SCHEME * len(numbers) and len(outside) > 1:
        raise UserError(
            f"{path}: the labels reach from {min(numbers)} to {max(numbers)}, where RAF-DB counts the basic "
            f"expressions from {first} to {first + len(RAF_ORDER) - 1}: they count something "
            "else. Name the file as its makers do, or write a list of path and class name (see data/raw/README.md)."
        )
    return RAF_ORDER


def split_of(key: str) -> str:
    """The split that the official list writes into names."""
    for split in ("train", "test"):
        if key.lower().startswith(f"{split}_"):
            return split
    raise UserError(f"the picture's name must begin with train_ or test_, not {key!r}")


def read_kaggle(root: Path, faults: list[Fault]) -> list[Sample]:
    """Every picture in the numbered folders; one that the .csv beside them labels otherwise is a fault."""
    samples = list(_kaggle_pictures(root))
    listed: dict[str, int] = {}
    for name in KAGGLE.values():
        path = child(root, name) or child(root.parent, name)
        if path is None:
            continue
        for line, (image, label) in read_records(path, ("image", "label"), faults):
            with collect_errors(faults, path, line):
                number = whole_number(label, len(RAF_ORDER), first=1)
                listed[PurePath(image).name] = CLASS_NAMES.index(RAF_ORDER[number - 1])
    kept = []
    for sample in samples:
        with collect_errors(faults, sample.file, None):
            name = PurePath(sample.name).name
            if listed.get(name, sample.label) != sample.label:
                raise UserError(f"{name} lies with {CLASS_NAMES[sample.label]}, listed is {CLASS_NAMES[listed[name]]}")
            kept.append(sample)
    return kept


def _kaggle_pictures(root: Path) -> Iterator[Sample]:
    for split in KAGGLE:
        for folder in folders_in(child(root, split) or root):
            label = CLASS_NAMES.index(RAF_ORDER[int(folder.name) - 1])
            for picture in pictures_in(folder):
                yield Sample(picture.relative_to(root).as_posix(), split, label, picture, folder)
