"""JAFFE (Lyons et al. 1998): 213 posed pictures of ten Japanese women, seven expressions.

In:  the release: `KA.AN1.39.tiff`, all in one folder; the one that is given, or one in it.
Out: a `FaceSet` with labels only, and who each face is.

There is no published split: a fifth of the people is the test, then a tenth of the others the validation part.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from data.faults import Fault, collect_errors
from data.layout import find_root, is_leftover, root_in
from data.samples import Listing, Sample
from data.sources.files import is_picture
from data.splits import split_off_missing
from support import UserError
from support.emotions import EMOTIONS, canonical_name

NAME = "jaffe"
FACE = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)(\d+)\.(\d+)", re.I)  # person, expression, its number, number
CLASS_NAMES = EMOTIONS[:7]  # all but contempt
ENOUGH = 3  # names that look so


def recognise(folder: Path) -> bool:
    """True where `folder`, or one in it, holds pictures that are named so."""
    return folder.is_dir() and find_root(folder, is_root) is not None


def is_root(folder: Path) -> bool:
    """Are at least `ENOUGH` pictures in `folder` itself named so?"""
    named = (path for path in folder.iterdir() if FACE.fullmatch(path.stem) and is_picture(path))
    return len(list(itertools.islice(named, ENOUGH))) == ENOUGH


def read(folder: Path, split: str, faults: list[Fault]) -> Listing:
    """The faces of `split`, 256 x 256 pixels; a picture with another name is a fault."""
    root = root_in(folder, is_root)
    samples = []
    for picture in sorted(path for path in root.iterdir() if is_picture(path) and not is_leftover(path.name)):
        with collect_errors(faults, root, None):
            match = FACE.fullmatch(picture.stem)
            if match is None:
                raise UserError(f"{picture.name} does not tell person and expression, as KA.AN1.39.tiff does")
            label = CLASS_NAMES.index(canonical_name(match[2]))
            samples.append(Sample(picture.name, "train", label, picture, root, person=match[1].upper()))
    return Listing(split_off_missing(samples), CLASS_NAMES)
