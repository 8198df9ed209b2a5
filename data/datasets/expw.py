"""ExpW (Zhang et al., IJCV 2018): 91,793 faces in pictures from the web, seven expressions, one label each.

In:  the release: `label.lst` (in the folder, or in label/) and the pictures in image/origin/, origin/ or image/. A row:
     image_name face_id_in_image face_box_top face_box_left face_box_right face_box_bottom face_box_confidence label
     with labels 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral.
Out: a `FaceSet` with labels only; each face is cut out of its picture by its box, and named picture#face.

There is no published split: a fifth of each class is the test, then a tenth of the others the validation part. Faces of
one picture may come to lie in different parts, and it is not known who is who.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from data.datasets.fer2013 import CLASS_NAMES, LABELS
from data.faults import Fault, collect_errors
from data.layout import child, find_root, pictures_in
from data.samples import Listing, Sample
from data.splits import split_off_missing
from data.tables import box_numbers, check_field_count, read_rows, register_name, whole_number
from support import UserError

NAME = "expw"
LIST = "label.lst"
FIELDS = "image_name, face_id_in_image, face_box_top, left, right, bottom, confidence, label"


def is_root(folder: Path) -> bool:
    """Does `folder` hold the list and a folder of pictures?"""
    return find_list(folder) is not None and find_pictures(folder) is not None


def find_list(folder: Path) -> Path | None:
    """label.lst in `folder` or in its label/."""
    inside = child(folder, "label")
    return child(folder, LIST) or (child(inside, LIST) if inside else None)


def find_pictures(folder: Path) -> Path | None:
    """image/origin, origin or image in `folder`."""
    image = child(folder, "image")
    origin = (child(image, "origin") if image else None) or child(folder, "origin")
    return origin or image


find = functools.partial(find_root, fits=is_root)


def read(root: Path, split: str, faults: list[Fault]) -> Listing:
    """The faces of `split`, cut out of their pictures."""
    path, pictures = find_list(root), find_pictures(root)
    assert path is not None
    assert pictures is not None
    by_name: defaultdict[str, list[Path]] = defaultdict(list)
    for picture in pictures_in(pictures):
        by_name[picture.name].append(picture)
    samples: list[Sample] = []
    places: dict[str, str] = {}
    for line, fields in read_rows(path):
        with collect_errors(faults, path, line):
            check_field_count(fields, 8, what=FIELDS)
            name, face, *box = fields[:6]
            key = f"{name}#{face}"
            register_name(key, places, file=path, line=line)
            top, left, right, bottom = box_numbers(box)
            label = CLASS_NAMES.index(LABELS[whole_number(fields[7], len(LABELS) - 1)])
            picture = choose_picture(pictures, name, by_name[name])
            samples.append(Sample(key, "train", label, picture, path, line, box_xyxy=(left, top, right, bottom)))
    return Listing(split_off_missing(samples), CLASS_NAMES)


def choose_picture(folder: Path, name: str, found: Sequence[Path]) -> Path:
    """Of the pictures `found` under a name the one at the top of `folder`, else the only one."""
    top = folder / name
    if top in found or not found:
        return top
    if len(found) > 1:
        places = ", ".join(picture.relative_to(folder).as_posix() for picture in found)
        raise UserError(f"one picture must be called {name}, but {len(found)} are ({places:.120}); keep one")
    return found[0]
