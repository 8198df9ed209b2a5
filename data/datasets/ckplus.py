"""CK+ (Lucey et al., CVPRW 2010): posed sequences of 123 people, from neutral to the apex of an expression.

In:  the release: `cohn-kanade-images/S005/001/S005_001_00000011.png` and
     `Emotion/S005/001/S005_001_00000011_emotion.txt`, a label from 1 to 7; or Kaggle's CK+48:
     `anger/S010_004_00000017.png`, a folder a class. In the folder given, or one in it; the release's
     archives may be unpacked into folders of their own names.
Out: a `FaceSet` with labels only, and who each face is. Of a labelled sequence the last three frames have its label and
     the first is neutral, as is usual; sequences without a label are left out. CK+48 has been cut out by its makers.

There is no published split: a fifth of the people is the test, then a tenth of the others the validation part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from data.faults import Fault, collect_errors
from data.layout import child, contents, find_root, folders_in, is_leftover, pictures_in
from data.samples import Listing, Sample
from data.splits import split_off_missing
from data.tables import read_rows, to_number
from support import UserError
from support.emotions import EMOTIONS, canonical_name, ordered_names

NAME = "ckplus"
LABELS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")  # from 0
IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images")
EMOTION = ("Emotion", "Emotion_labels")  # each may lie in a folder that is called like its archive
LABELLED_FRAMES = 3  # at the end of a sequence
FRAME = re.compile(r"(S\d{3})_(\d{3})_(\d+)", re.I)  # subject, sequence, number of the frame


def find(folder: Path) -> Path | None:
    """`folder`, or one in it, that holds CK+'s sequences and labels, or class folders of CK+48's pictures."""
    return find_root(folder, is_release) or find_root(folder, is_ck48)


def is_release(folder: Path) -> bool:
    """Does `folder` hold the sequences and `Emotion`?"""
    return child(folder, *IMAGES) is not None and child(folder, *EMOTION) is not None


def is_ck48(folder: Path) -> bool:
    """Does `folder` hold class folders whose pictures are named by subject, sequence and frame?"""
    classes = folders_in(folder)
    firsts = [next(pictures_in(path), None) for path in classes if canonical_name(path.name) in EMOTIONS]
    return len(firsts) > 1 and all(first is not None and FRAME.fullmatch(first.stem) for first in firsts)


def read(root: Path, split: str, faults: list[Fault]) -> Listing:
    """The faces of `split`, whole frames as they were recorded, or CK+48's cut-out faces."""
    rows = list((read_sequences if is_release(root) else read_class_folders)(root, faults))
    class_names = ordered_names({word for word, _, _ in rows})
    samples = [
        Sample(
            name=picture.relative_to(root).as_posix(),
            split="train",
            label=class_names.index(word),
            picture=picture,
            file=file,
            person=person_of(picture),
        )
        for word, picture, file in rows
    ]
    return Listing(split_off_missing(samples), class_names)


def read_sequences(root: Path, faults: list[Fault]) -> Iterator[tuple[str, Path, Path]]:
    """(class, picture, file of the label) of the frames that count."""
    images, labels = child(root, *IMAGES), child(root, *EMOTION)
    assert images is not None
    assert labels is not None
    images, labels = contents(images, *IMAGES), contents(labels, *EMOTION)
    for path in sorted(path for path in labels.rglob("*_emotion.txt") if not is_leftover(path.name)):
        with collect_errors(faults, path, None):
            word = read_label(path)
            folder = images / path.parent.relative_to(labels)
            if not folder.is_dir():
                raise UserError(f"the frames of this sequence are not at {folder}")
            frames = sorted(pictures_in(folder), key=lambda picture: picture.stem)
            if len(frames) <= LABELLED_FRAMES:
                raise UserError(f"the sequence has {len(frames)} frames; wanted are more than {LABELLED_FRAMES}")
            yield "neutral", frames[0], path
            for picture in frames[-LABELLED_FRAMES:]:
                yield word, picture, path


def read_label(path: Path) -> str:
    """The expression in a file that holds one number, such as 3.0000000e+00."""
    fields = [text for _, row in read_rows(path) for text in row]
    number = to_number(fields[0]) if len(fields) == 1 else -1
    if number not in range(len(LABELS)):
        raise UserError(f"wanted one number from 0 to {len(LABELS) - 1}, found {' '.join(fields)[:40]!r}")
    return LABELS[int(number)]


def read_class_folders(root: Path, faults: list[Fault]) -> Iterator[tuple[str, Path, Path]]:
    """(class, picture, class folder) of CK+48; a picture whose name does not tell its subject is a fault."""
    for folder in folders_in(root):
        for picture in pictures_in(folder):
            with collect_errors(faults, folder, None):
                if not FRAME.fullmatch(picture.stem):
                    raise UserError(f"{picture.name} does not tell its subject, as S010_004_00000017.png does")
                yield canonical_name(folder.name), picture, folder


def person_of(picture: Path) -> str:
    """`S010` for S010_004_00000017.png; the folder of the subject where the name does not tell."""
    match = FRAME.match(picture.stem)
    return (match[1] if match else picture.parent.parent.name).upper()
