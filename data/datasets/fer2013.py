"""FER2013 (Goodfellow et al. 2013, arXiv 1307.0414): 35,887 grey 48x48 faces, seven expressions, one label each.

In:  a folder with Kaggle's `fer2013.csv` or `icml_face_data.csv`: the columns emotion (0 to 6), pixels (2,304 numbers)
     and Usage, in any order.
Out: a `FaceSet` of seven expressions. Usage is honoured: Training is train (28,709), PublicTest is validation and
     PrivateTest is test (3,589 each).
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from data.emotions import EMOTIONS, canonical_name
from data.face_set import FaceSet
from data.faults import Fault, collect_errors
from data.tables import Sample, build_face_set, read_records, whole_number
from support import UserError

NAME = "fer2013"
FILES = ("fer2013.csv", "icml_face_data.csv")
VOTES = "fer2013new.csv"  # with this beside it the folder is FER+
LABELS = tuple(map(canonical_name, ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")))
CLASS_NAMES = tuple(name for name in EMOTIONS if name in LABELS)
USAGES = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
SIDE = 48


def recognise(folder: Path) -> bool:
    """True where `folder` holds FER2013's csv, and no FER+ votes beside it."""
    return find_pixels(folder) is not None and not (folder / VOTES).is_file()


def find_pixels(folder: Path) -> Path | None:
    """FER2013's csv in `folder`."""
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def load(folder: Path, split: str, *, skip_bad: bool = False) -> FaceSet:
    """The faces of `split`, named by their line in the csv."""
    path = find_pixels(folder)
    if path is None:
        raise UserError(f"{folder} holds neither {' nor '.join(FILES)}.")
    samples: list[Sample] = []
    faults: list[Fault] = []
    for line, (emotion, pixels, usage) in read_records(path, ("emotion", "pixels", "Usage"), faults):
        with collect_errors(faults, path, line):
            if split_of(usage) == split:
                sample = Sample(
                    name=f"line {line}",
                    split=split,
                    label=CLASS_NAMES.index(LABELS[whole_number(emotion, len(LABELS) - 1)]),
                    picture=grey_pixels(pixels),
                    file=path,
                    line=line,
                )
                samples.append(sample)
    return build_face_set(samples, faults, split=split, class_names=CLASS_NAMES, skip_bad=skip_bad)


def split_of(usage: str) -> str:
    """The split that FER2013's word for it means."""
    if usage not in USAGES:
        raise UserError(f"Usage must be one of {', '.join(USAGES)}, not {usage!r}")
    return USAGES[usage]


def grey_pixels(text: str) -> np.ndarray:
    """(48, 48) uint8 from 2,304 numbers in a row."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # all that numpy before 2.3 has to say of other text
            values = np.fromstring(text, dtype=np.int32, sep=" ")  # the fastest reader: 35,887 rows take seconds
    except (ValueError, DeprecationWarning) as error:
        raise UserError(f"the pixels must be numbers, not {text[:40]!r}...") from error
    if values.size != SIDE * SIDE:
        raise UserError(f"wanted {SIDE * SIDE} pixels, found {values.size}")
    if values.min() < 0 or values.max() > 255:
        raise UserError(f"pixels must lie between 0 and 255, these reach from {values.min()} to {values.max()}")
    return values.astype(np.uint8).reshape(SIDE, SIDE)
