"""JAFFE (Lyons et al. 1998): 213 posed pictures of ten Japanese women, seven expressions.

In:  the release: `KA.AN1.39.tiff`, all in one folder; the one that is given, or one in it.
Out: a `FaceSet` with labels only, and who each face is.

There is no published split: a fifth of the people is the test, then a tenth of the others the validation part.
"""

from __future__ import annotations

import functools
import itertools
import re
from pathlib import Path

from data.faults import Fault, collect_errors
from data.layout import find_root, is_leftover
from data.samples import Listing, Sample
from data.sources.files import is_picture
from data.splits import split_off_missing
from support import UserError
from support.emotions import EMOTIONS, canonical_name

NAME = "jaffe"
FACE = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)(\d+)\.(\d+)", re.I)  # person, expression, its number, number
CLASS_NAMES = EMOTIONS[:7]  # all but contempt
ENOUGH = 3  # names that look so


def is_root(folder: Path) -> bool:
    """Are at least `ENOUGH` pictures in `folder` itself named so?"""
    named = (path for path in folder.iterdir() if FACE.fullmatch(path.stem) and is_picture(path))
    return len(list(itertools.islice(named, ENOUGH))) == ENOUGH


find = functools.partial(find_root, fits=is_root)


def read(root: Path, split: str, faults: list[Fault]) -> Listing:
    """The faces of `split`, 256 x 256 pixels; a picture with another name is a fault."""
    samples = []
    for picture in sorted(path for path in root.iterdir() if is_picture(path) and not is_leftover(path.name)):
        with collect_errors(faults, root, None):
            match = FACE.fullmatch(picture.stem)
            if match is None:
                raise UserError(f"{picture.name} does not tell person and expression, as KA.AN1.39.tiff does")
            label = CLASS_NAMES.index(canonical_name(match[2]))
            samples.append(Sample(picture.name, "train", label, picture, root, person=match[1].upper()))
    return Listing(split_off_missing(samples), CLASS_NAMES)
