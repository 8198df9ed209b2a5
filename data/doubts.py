"""Does a data set look like what it claims? Doubts that data.check tells, and that training refuses.

In:  a `FaceSet` of training faces, of another split for the order of its votes; the counts that the data set's makers
     published.
Out: `Doubt`s: a name, which `--accept` takes, and a sentence.

A doubt is no fault of a file: each row can be read, and all of them together mean something else than they say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from data.face_set import FaceSet
from support import UserError

VOTE_ORDER, LABEL_SCHEME, CLASS_NAMES, ONE_CLASS = "vote-order", "label-scheme", "class-names", "one-class"
ALL_DOUBTS = (VOTE_ORDER, LABEL_SCHEME, CLASS_NAMES, ONE_CLASS)
ENOUGH = 10  # faces of a class whose votes are compared with its label
ENOUGH_LABELS = 500  # faces whose labels are compared with published counts
FAR, NEAR = 0.1, 0.05  # total variation of two distributions over classes: another one, the same one
NO_CLASSES = {  # folders and files that data sets are made of
    "aligned", "original", "image", "images", "img", "train", "training", "test", "testing", "val", "valid",
    "validation", "publictest", "privatetest", "fer2013train", "fer2013valid", "fer2013test", "emolabel", "annotation",
    "annotations", "label", "labels", "data", "dataset", "archive", "basic", "compound", "manual", "auto",
    "boundingbox", "crop", "cropped", "faces", "origin",
}  # fmt: skip


class Doubt(NamedTuple):
    """One way in which a data set does not look like what it claims; `name` is one of `ALL_DOUBTS`."""

    name: str
    sentence: str

    def __str__(self) -> str:
        return f"in doubt ({self.name}): {self.sentence}"


def find_doubts(faces: FaceSet, published: Mapping[str, int]) -> list[Doubt]:
    """All doubts about some training faces. published: faces a class, by its name; empty where nothing is known."""
    return [*_class_names(faces), *_one_class(faces), *_label_scheme(faces, published), *vote_order(faces, "train")]


def refuse_doubts(doubts: Sequence[Doubt], accepted: Sequence[str]) -> None:
    """Raise `UserError` with the first doubt whose name is not among those `accepted`."""
    unknown = [name for name in accepted if name not in ALL_DOUBTS]
    if unknown:
        raise UserError(f"--accept takes {', '.join(ALL_DOUBTS)}, not {', '.join(unknown)}.")
    for doubt in doubts:
        if doubt.name not in accepted:
            raise UserError(f"{doubt.sentence} Mend it, or train in spite of it with --accept {doubt.name}.")


def _class_names(faces: FaceSet) -> list[Doubt]:
    found = [name for name in faces.class_names if name.lower() in NO_CLASSES]
    if not found:
        return []
    sentence = f"the folders {', '.join(found)} would be classes, and they are named like parts of a data set."
    return [Doubt(CLASS_NAMES, f"{sentence} Name the folder that holds one folder a class.")]


def _one_class(faces: FaceSet) -> list[Doubt]:
    if faces.has_votes or not len(faces) or (faces.labels != faces.labels[0]).any():
        return []
    name = faces.class_names[faces.labels[0]]
    return [Doubt(ONE_CLASS, f"every training face is labelled {name}, so that there is nothing to tell apart.")]


def _label_scheme(faces: FaceSet, published: Mapping[str, int]) -> list[Doubt]:
    """Labels whose counts are the published ones, but of other classes: they count in another order."""
    if len(faces) < ENOUGH_LABELS or set(published) != set(faces.class_names):
        return []
    counts = np.bincount(faces.labels, minlength=len(faces.class_names)) / len(faces)
    expected = np.array([published[name] for name in faces.class_names]) / sum(published.values())
    same_order, best_order = (
        np.abs(a - b).sum() / 2 for a, b in ((counts, expected), (np.sort(counts), np.sort(expected)))
    )
    if same_order < FAR or best_order > NEAR:
        return []
    row = int(np.abs(counts - expected).argmax())
    sentence = (
        f"{100 * counts[row]:.0f} % of the training faces are labelled {faces.class_names[row]}, of the published ones "
        f"{100 * expected[row]:.0f} %, and the shares fit in another order: the labels seem to count the classes "
        "differently."
    )
    return [Doubt(LABEL_SCHEME, sentence)]


def vote_order(faces: FaceSet, split: str) -> list[Doubt]:
    """Classes of `split` whose faces got most votes for another class: the votes' columns stand in another order."""
    if not faces.has_votes:
        return []
    swapped = []
    for label, name in enumerate(faces.class_names):
        mine = faces.votes[faces.labels == label]
        top = int(mine.mean(axis=0).argmax()) if len(mine) >= ENOUGH else label
        if top != label:
            swapped.append(f"{name} are {faces.class_names[top]}")
    if not swapped:
        return []
    agreeing = (faces.votes.argmax(axis=1) == faces.labels).mean()
    sentence = (
        f"the label is the top vote for {100 * agreeing:.0f} % of the faces ({split}); by most votes the faces "
        f"labelled {', those labelled '.join(swapped)}: the columns of the votes seem to stand in another order."
    )
    return [Doubt(VOTE_ORDER, sentence)]
