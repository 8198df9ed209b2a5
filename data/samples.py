"""From the lists of a data set to a `FaceSet`: what the formats in data/datasets/ share.

In:  `Sample`s that a format made from its files, and the faults it met.
Out: a `FaceSet` with votes that sum to 1, whose pictures are in memory or decoded when they are asked for
     (data/pictures/store.py).

Rows that cannot be used become faults (data/faults.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.face_set import FaceSet
from data.faults import Fault, raise_errors
from data.pictures.store import Sources, Storage
from support import UserError
from support.one_hot import one_hot
from support.strings import Strings

NOTHING: dict[str, str] = {}  # one for all samples without attributes: there may be a million


@dataclass(frozen=True, slots=True)
class Sample:
    """One face as its data set lists it, not decoded yet.

    label: index of the class names.
    picture: a path, or grey pixels (H, W) uint8.
    file, line: where the face is listed; a line of None means by its place in the folder `file`.
    votes: (K,) float32, or None where only the label is known.
    person: who it is, "" where that is not known.
    box_xyxy: the part of the picture that is the face, in its pixels; None: all of it.
    attributes: what else is known of it, such as {"gender": "female"}.
    """

    name: str
    split: str
    label: int
    picture: Path | str | np.ndarray
    file: Path
    line: int | None = None
    votes: np.ndarray | None = None
    person: str = ""
    box_xyxy: tuple[int, int, int, int] | None = None
    attributes: dict[str, str] = field(default_factory=lambda: NOTHING)


class NoFaces(UserError):
    """A split has no face that can be used."""

    def __init__(self, split: str) -> None:
        super().__init__(f"no usable face for {split}; `python -m data.check DIR` shows what the folder holds.")


class Listing(NamedTuple):
    """What a format reads of a split: its faces (those of other splits may be among them), and the class names."""

    samples: Sequence[Sample]
    class_names: tuple[str, ...]


def build_face_set(
    samples: Sequence[Sample],
    faults: list[Fault],
    *,
    split: str,
    class_names: tuple[str, ...],
    skip_bad: bool,
    storage: Storage | None = None,
) -> FaceSet:
    """The samples of `split` in RGB; raises `FaultyData` where `faults` hold or gain any, see `raise_errors`.

    Votes are scaled to sum to 1; where the samples have none they are the labels, one-hot. storage: how the pictures
    are kept; None: all decoded, in memory.
    """
    kept = [sample for sample in samples if sample.split == split]
    images, broken = (storage or Storage()).store(Sources((sample.picture, sample.box_xyxy) for sample in kept))
    faults += [Fault(kept[row].file, kept[row].line, what) for row, what in broken.items()]
    kept = [sample for row, sample in enumerate(kept) if row not in broken]
    raise_errors(faults, skip_bad=skip_bad)
    if not kept:
        raise NoFaces(split)
    labels = np.array([sample.label for sample in kept], dtype=np.int64)
    counts = [sample.votes for sample in kept if sample.votes is not None]
    if counts and len(counts) < len(kept):
        raise UserError(f"{len(kept) - len(counts)} of {len(kept)} faces for {split} have no votes; give all, or none.")
    if counts:
        votes = np.stack(counts).astype(np.float32)
        votes /= votes.sum(axis=1, keepdims=True)
    else:
        votes = one_hot(labels, len(class_names))
    persons = [sample.person for sample in kept]
    names = set.intersection(*({*sample.attributes} for sample in kept))
    return FaceSet(
        images=images,
        votes=votes,
        labels=labels,
        names=(tuple if images.decoded is not None else Strings)(sample.name for sample in kept),
        class_names=class_names,
        has_votes=bool(counts),
        attributes={
            name: np.array([sample.attributes[name] for sample in kept]) for name in kept[0].attributes if name in names
        },
        persons=np.array(persons) if all(persons) else None,
    )
