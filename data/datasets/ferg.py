"""FERG-DB (Aneja et al. 2016): 55,767 drawn faces of six characters, seven expressions.

In:  the release: `aia/aia_anger/aia_anger_1.png`, a folder a character, in it one an expression; the folder given
     is the one that holds the characters (FERG_DB_256), or one that holds it.
Out: a `FaceSet` with labels only, and which character each face is.

There is no published split: one of the six characters is the test, another one the validation part.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from data.faults import Fault, collect_errors
from data.layout import find_root, folders_in, pictures_in
from data.samples import Listing, Sample
from data.splits import split_off_missing
from support import UserError
from support.emotions import EMOTIONS, canonical_name, ordered_names

NAME = "ferg"


def is_root(folder: Path) -> bool:
    """Does `folder` hold two folders or more, each with folders named after it and an expression?"""
    return sum(any(True for _ in expressions_of(path)) for path in folders_in(folder)) > 1


def expressions_of(character: Path) -> Iterator[tuple[str, Path]]:
    """(expression, folder) of a character's folder: aia/aia_anger."""
    for path in folders_in(character):
        name, _, word = path.name.lower().rpartition("_")
        if name == character.name.lower() and canonical_name(word) in EMOTIONS:
            yield canonical_name(word), path


find = functools.partial(find_root, fits=is_root)


def read(root: Path, split: str, faults: list[Fault]) -> Listing:
    """The faces of `split`, 256 x 256 pixels."""
    found = []
    for character in folders_in(root):
        for word, path in expressions_of(character):
            with collect_errors(faults, path, None):
                pictures = list(pictures_in(path))
                if not pictures:
                    raise UserError("this folder of an expression holds no picture")
                found += [(word, path, character.name, picture) for picture in pictures]
    class_names = ordered_names({word for word, *_ in found})
    samples = [
        Sample(picture.relative_to(root).as_posix(), "train", class_names.index(word), picture, path, person=person)
        for word, path, person, picture in found
    ]
    return Listing(split_off_missing(samples), class_names)
