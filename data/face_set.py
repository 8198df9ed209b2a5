"""FaceSet: what every data set becomes, whatever its files look like.

In:  pictures, crowd votes, labels.
Out: one frozen object that training and evaluation index by row; what leaves, joins and renames such objects.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from data.pictures.store import Pictures, content_sizes, digests
from support import UserError
from support.columns.numbers import chunks, contained, in_both, rows_in_parts
from support.columns.one_hot import one_hot, take
from support.columns.strings import Strings
from support.emotions import ordered_names

END = 4096  # bytes of a file by which most pictures of the same size are told apart


class NoFaces(UserError):
    """No face can be used: of a split, or of the classes that --classes keeps."""


@dataclass(frozen=True)
class FaceSet:
    """Faces and the votes of the people who labelled them.

    images: N pictures, (H, W, 3) uint8 RGB each: a list, where sizes may differ, one array, or `Pictures`, which may
        decode each when it is asked for.
    votes: (N, K) float32, rows sum to 1: the crowd's distribution; one-hot where only a label is known.
    labels: (N,) int32, the official label (an index of `class_names`), by which accuracy is counted.
    names: N file names, for reports: a tuple, or `Strings` where there are very many.
    class_names: K names, in the order of the columns of `votes`.
    has_votes: False where `votes` is only `labels` one-hot.
    attributes: what else is known of each face, by name: (N,) str, such as "gender": ["male", "female", ...].
    persons: (N,) str, who each face is; None where that is not known.
    """

    images: Sequence[np.ndarray] | np.ndarray | Pictures
    votes: np.ndarray
    labels: np.ndarray
    names: Sequence[str]
    class_names: tuple[str, ...]
    has_votes: bool = True
    attributes: dict[str, np.ndarray] = field(default_factory=dict)
    persons: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    def rows(self, index: np.ndarray) -> FaceSet:
        """The faces at `index` (integers, or a (N,) bool mask), in that order."""
        index = np.flatnonzero(index) if np.asarray(index).dtype == bool else np.asarray(index)
        images = (
            self.images[index]
            if isinstance(self.images, (np.ndarray, Pictures))
            else [self.images[int(i)] for i in index]
        )
        return dataclasses.replace(
            self,
            images=images,
            votes=take(self.votes, index),
            labels=self.labels[index],
            names=self.names[index] if isinstance(self.names, Strings) else tuple(self.names[int(i)] for i in index),
            attributes={name: values[index] for name, values in self.attributes.items()},
            persons=None if self.persons is None else self.persons[index],
        )

    def identity(self) -> dict[str, object]:
        """What must be the same for a run to be continued on these faces: plain values by name."""
        return {
            "training faces": len(self),
            "class names": list(self.class_names),
            "names and labels, by a digest": self.digest(),
        }

    def digest(self) -> str:
        """32 hexadecimal digits that stand for class names, names, labels, votes and sizes of files, in their order.

        Sizes stand for the pixels, which would all have to be read; the first picture of each class is, so that two
        class folders that were swapped differ also where all files have one size.
        """
        content = hashlib.blake2b(digest_size=16)
        for name in itertools.chain(self.class_names, [""], self.names):
            content.update(os.fsencode(name) + b"\0")
        for labels in chunks(self.labels):
            content.update(labels.astype("<i8").data)
        if self.has_votes:  # else they are the labels
            content.update(np.ascontiguousarray(self.votes, dtype="<f4").data)
        for rows in rows_in_parts(np.ones(len(self), bool)):
            content.update(content_sizes(self.images, rows).astype("<i8").data)
        first = [int((self.labels == label).argmax()) for label in range(len(self.class_names)) if len(self)]
        content.update(digests(self.images, np.array(first, int)).astype("<u8").data)
        return content.hexdigest()


def with_labels_for_votes(faces: FaceSet) -> FaceSet:
    """`faces` as if only the labels were known: votes one-hot."""
    return dataclasses.replace(faces, votes=one_hot(faces.labels, len(faces.class_names)), has_votes=False)


def concatenate(parts: Sequence[FaceSet]) -> FaceSet:
    """All faces of `parts`, at least one, of the same classes, in one set; it has what all parts have."""
    first = parts[0]
    names = set.intersection(*(set(part.attributes) for part in parts))
    known = [part.persons for part in parts if part.persons is not None]
    stored = [part.images for part in parts if isinstance(part.images, Pictures)]
    labels, has_votes = np.concatenate([part.labels for part in parts]), any(part.has_votes for part in parts)
    return FaceSet(
        images=Pictures.joined(stored) if len(stored) == len(parts) else [image for p in parts for image in p.images],
        votes=np.concatenate([part.votes for part in parts]) if has_votes else one_hot(labels, len(first.class_names)),
        labels=labels,
        names=(Strings if isinstance(first.names, Strings) else tuple)(name for part in parts for name in part.names),
        class_names=first.class_names,
        has_votes=has_votes,
        attributes={
            name: np.concatenate([part.attributes[name] for part in parts])
            for name in first.attributes
            if name in names
        },
        persons=np.concatenate(known) if len(known) == len(parts) else None,
    )


def map_classes(faces: FaceSet, mapping: Mapping[str, str]) -> FaceSet:
    """`faces` with class names changed by `mapping`; those that come to be the same are one class, "" leaves out.

    Names that `mapping` lacks stay. The votes of a class go with it; what is left of a face's votes is scaled to sum
    to 1, and a face whose label is left out, or all of whose votes are, leaves. Raises `UserError` where `mapping`
    names a class that `faces` lack, and `NoFaces` where it leaves no face.
    """
    unknown = [name for name in mapping if name not in faces.class_names]
    if unknown:
        raise UserError(
            f"--classes names {', '.join(unknown)}, which the data set lacks; its classes are "
            f"{', '.join(faces.class_names)}."
        )
    renamed = [mapping.get(name, name) for name in faces.class_names]
    class_names = ordered_names(set(renamed) - {""})
    matrix = np.array([[name == new for new in class_names] for name in renamed], np.float32)  # (K, new K)
    votes = faces.votes @ matrix
    total = votes.sum(axis=1)
    kept = (matrix.sum(axis=1)[faces.labels] > 0) & (total > 0)
    if not kept.any():
        raise NoFaces(f"--classes leaves no face of {len(faces):,}; name classes for some of them.")
    labels = (matrix @ np.arange(len(class_names))).astype(np.int32)[faces.labels]
    return dataclasses.replace(
        faces.rows(kept),
        votes=votes[kept] / total[kept, None],
        labels=labels[kept],
        class_names=class_names,
    )


def rows_without_duplicate(faces: FaceSet, *others: FaceSet) -> np.ndarray:
    """(N,) bool: the faces whose picture stands in none of `others`, compared byte for byte as its data set has it.

    Of those whose size occurs on both sides the ends are read, and where these do, too, all of it.
    """
    images = [each.images for each in (faces, *others)]
    mine, *theirs = (np.ones(len(each), bool) for each in images)  # which may be duplicates
    for keys_of in (content_sizes, functools.partial(digests, last=END), digests):
        keys = [keys_of(each, np.flatnonzero(some)) for each, some in zip(images[1:], theirs, strict=True)]
        of_theirs = np.concatenate([*keys, np.empty(0, np.uint64)])
        mine[mine], shared = in_both((keys_of(images[0], rows) for rows in rows_in_parts(mine)), of_theirs)
        for some, of_some in zip(theirs, keys, strict=True):
            some[some] = contained(of_some, shared)
    return ~mine


def without_duplicates(faces: FaceSet, *others: FaceSet) -> FaceSet:
    """`faces` less every picture that stands, byte for byte, in one of `others` too.

    FER2013 holds duplicates across its splits: 7.8 % of the FER+ test pictures have a duplicate in train.
    """
    kept = rows_without_duplicate(faces, *others)
    return faces if kept.all() else faces.rows(kept)
