"""FER2013 (Goodfellow et al. 2013, arXiv 1307.0414): 35,887 grey 48x48 faces, seven expressions, one label each.

In:  a folder, or one that holds it, with Kaggle's `fer2013.csv` or `icml_face_data.csv`: the columns emotion (0 to 6),
     pixels (2,304 numbers) and Usage, in any order; or with the challenge's `train.csv`: emotion and pixels.
     Folders of pictures, train/angry/*.jpg or Training/Angry/*.jpg, are read by data/datasets/image_folder.py.
Out: a `FaceSet` of seven expressions. Usage is honoured: Training is train (28,709), PublicTest is validation and
     PrivateTest is test (3,589 each). The challenge's `test.csv` has no labels: both are split off train.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from data.faults import Fault, collect_errors
from data.layout import child, find_root
from data.samples import Listing, Sample
from data.splits import split_off_missing
from data.tables import read_header, read_records, whole_number
from support import UserError
from support.emotions import EMOTIONS, canonical_name

NAME = "fer2013"
FILES = ("fer2013.csv", "icml_face_data.csv")
CHALLENGE = "train.csv"
VOTES = "fer2013new.csv"  # with this beside it the folder is FER+
LABELS = tuple(map(canonical_name, ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")))
CLASS_NAMES = tuple(name for name in EMOTIONS if name in LABELS)
PUBLISHED = dict(zip(LABELS, (3995, 436, 4097, 7215, 4830, 3171, 4965), strict=True))
USAGES = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
SIDE = 48


def find(folder: Path) -> Path | None:
    """`folder`, or one in it, that holds FER2013's csv, and no FER+ votes beside it."""
    return find_root(folder, lambda path: find_pixels(path) is not None)


def find_pixels(folder: Path) -> Path | None:
    """FER2013's csv in `folder`, where no FER+ votes are beside it."""
    if child(folder, VOTES):
        return None
    return find_csv(folder) or _challenge(folder)


def find_csv(folder: Path) -> Path | None:
    """Kaggle's csv of all pixels in `folder`, `fer2013.csv` first."""
    return next((path for name in FILES if (path := child(folder, name))), None)


def _challenge(folder: Path) -> Path | None:
    path = child(folder, CHALLENGE)
    return path if path and path.is_file() and {"emotion", "pixels"} <= set(read_header(path)) else None


def read(root: Path, split: str, faults: list[Fault]) -> Listing:
    """The faces of `split`, named by their line in the csv."""
    path = find_pixels(root)
    assert path is not None
    drawn = "usage" not in read_header(path)
    samples: list[Sample] = []
    for line, (emotion, pixels, *usage) in read_records(path, ("emotion", "pixels", *["Usage"] * (not drawn)), faults):
        with collect_errors(faults, path, line):
            part = split_of(usage[0]) if usage else "train"
            if drawn or part == split:
                label = CLASS_NAMES.index(LABELS[whole_number(emotion, len(LABELS) - 1)])
                samples.append(Sample(f"line {line}", part, label, grey_pixels(pixels), path, line))
    return Listing(split_off_missing(samples) if drawn else samples, CLASS_NAMES)


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
            values = np.fromstring(text, dtype=np.float64, sep=" ")  # the fastest reader: 35,887 rows take seconds
    except (ValueError, DeprecationWarning) as error:
        raise UserError(f"the pixels must be numbers, not {text[:40]!r}...") from error
    if values.size != SIDE * SIDE:
        raise UserError(f"wanted {SIDE * SIDE} pixels, found {values.size}")
    if not (values.min() >= 0 and values.max() <= 255):  # an integer would have wrapped round, NaN passes no comparison
        raise UserError(f"pixels must lie between 0 and 255, these reach from {values.min():g} to {values.max():g}")
    if (values % 1).any():
        raise UserError("pixels must be whole numbers from 0 to 255, and some have a fraction; shares of 1?")
    return values.astype(np.uint8).reshape(SIDE, SIDE)
