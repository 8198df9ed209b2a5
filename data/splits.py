"""Which faces are for training, for validation and for test, where a data set does not say.

In:  `Sample`s, or a `FaceSet`; how large a part.
Out: samples with their split; for cross-validation, the rows of every fold.

Both are drawn by a hash of names: the same ones whatever the order of the rows, and on every machine. Where it is known
who is who, all pictures of a person go the same way; a split of faces would test on people it has trained on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from data.face_set import FaceSet
from data.pictures.store import Pictures
from data.samples import Sample, Samples
from support import UserError
from support.columns.numbers import contained

SPLIT_SEED = 0
TEST_SHARE = 0.2  # of all faces, where a data set names none
VALIDATION_SHARE = 0.1  # of the training faces, where a data set names none


def split_off(samples: Iterable[Sample], share: float, *, split: str) -> Samples:
    """`samples`, with a fixed `share` of the "train" ones moved to `split`.

    Where every one of these has a `person`, whole people are moved, at least one of two, who have about `share` of the
    faces; otherwise faces of every class, at least one of two.
    """
    columns = samples if isinstance(samples, Samples) else Samples(samples)
    training = columns.splits.equal("train")
    moved = np.zeros(len(columns), bool)
    if training.any() and not columns.persons.equal("")[training].any():
        persons = columns.persons.categories
        codes = columns.persons.codes
        counts = np.bincount(codes[training], minlength=len(persons)).tolist()
        drawn = _draw_people(Counter({person: n for person, n in zip(persons, counts, strict=True) if n}), share)
        moved = training & np.isin(codes, [code for code, person in enumerate(persons) if person in drawn])
    else:
        moved = draw_faces(name_hashes(columns.names), columns.labels, training, share)
    return columns.with_split(split, moved)


def split_off_missing(samples: Iterable[Sample]) -> Samples:
    """`samples`, in which test and validation, if missing, are split off train: a fifth, then a tenth of the rest."""
    columns = samples if isinstance(samples, Samples) else Samples(samples)
    for split, share in (("test", TEST_SHARE), ("validation", VALIDATION_SHARE)):
        if not columns.splits.equal(split).any():
            columns = split_off(columns, share, split=split)
    return columns


def draw_faces(hashes: np.ndarray, labels: np.ndarray, among: np.ndarray, share: float) -> np.ndarray:
    """(N,) bool: of the rows `among` (N,) bool a share of every class, at least one of two: the smallest `hashes`."""
    drawn = np.zeros(len(hashes), bool)
    for label in range(int(labels.max(initial=0)) + 1):
        rows = np.flatnonzero(among & (labels == label))
        count = max(round(share * len(rows)), 1) if len(rows) > 1 else 0
        drawn[rows[np.argsort(hashes[rows], kind="stable")[:count]]] = True
    return among & contained(hashes, hashes[drawn])  # a picture that is listed twice goes one way


def _draw_people(faces: Counter[str], share: float) -> set[str]:
    """People by their hash, each who brings the drawn closer to `share` of the `faces` that everyone has.

    Where nobody does, it is the one with the fewest. Of three people and more two are left, of two one: for the next
    split, and for training.
    """
    drawn: set[str] = set()
    count = 0
    people = sorted(faces, key=name_hash)
    for person in people:
        if count + faces[person] / 2 <= share * faces.total() and len(drawn) < max(1, len(people) - 2):
            drawn.add(person)
            count += faces[person]
    return drawn or set(sorted(people, key=faces.__getitem__)[: len(people) > 1])


def make_folds(faces: FaceSet, folds: int) -> list[np.ndarray]:
    """`folds` arrays of rows (integers) that have every face once, of nearly the same size.

    Where `faces.persons` are known each person is in one fold only; otherwise each class is spread evenly. Raises
    `UserError` where there are fewer people, or faces, than folds.
    """
    of_fold = np.empty(len(faces), int)
    if faces.persons is not None:
        people = Counter(faces.persons.tolist())
        sizes = [0] * folds
        fold_of = {}
        for person in sorted(people, key=lambda person: (-people[person], name_hash(person))):
            fold_of[person] = sizes.index(min(sizes))
            sizes[fold_of[person]] += people[person]
        of_fold[:] = [fold_of[person] for person in faces.persons.tolist()]
    else:
        order = np.lexsort((name_hashes(faces.names), faces.labels))
        of_fold[order] = np.arange(len(faces)) % folds
    rows = [np.flatnonzero(of_fold == fold) for fold in range(folds)]
    if not all(map(len, rows)):
        units = f"{len(set(faces.persons.tolist()))} people" if faces.persons is not None else f"{len(faces)} faces"
        raise UserError(f"--folds {folds} needs as many people, or faces where people are not known; here are {units}.")
    return rows


def fold_splits(faces: FaceSet, folds: Sequence[np.ndarray], number: int) -> tuple[FaceSet, FaceSet, FaceSet]:
    """Train, validation and test of fold `number`: it is the test, the next one the validation, the others train.

    Only train's pictures are shrunk, where those of `faces` are.
    """
    validation = (number + 1) % len(folds)
    train = np.concatenate([rows for index, rows in enumerate(folds) if index not in (number, validation)])
    images = faces.images.unshrunk() if isinstance(faces.images, Pictures) else faces.images
    as_they_are = dataclasses.replace(faces, images=images)
    return faces.rows(np.sort(train)), as_they_are.rows(folds[validation]), as_they_are.rows(folds[number])


def name_hashes(names: Sequence[str]) -> np.ndarray:
    """(N,) uint64: the `name_hash` of each."""
    return np.fromiter(map(name_hash, names), np.uint64, len(names))


def name_hash(name: str) -> int:
    """A number below 2 ** 64 that stands for a name, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(os.fsencode(f"{SPLIT_SEED} {name}"), digest_size=8).digest())
