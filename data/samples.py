"""From the lists of a data set to a `FaceSet`: what the formats in data/datasets/ share.

In:  `Sample`s that a format made from its files, and the faults it met.
Out: a `FaceSet` with votes that sum to 1, whose pictures are in memory or decoded when they are asked for
     (data/pictures/store.py).

Rows that cannot be used become faults (data/faults.py).
"""

from __future__ import annotations

import copy
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np

from data.face_set import FaceSet, NoFaces
from data.faults import Fault, raise_errors
from data.pictures.store import Sources, Storage
from support import UserError
from support.columns.numbers import Numbers, rows_at
from support.columns.one_hot import one_hot
from support.columns.strings import Categorical, Strings
from support.memory import return_freed_memory

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


class Samples(Sequence[Sample]):
    """N samples as columns, in a tenth of the memory. An index gives one; an array of rows or a slice, more `Samples`.

    Attributes that not all of them have are dropped.
    """

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self.names, self.pictures = Strings(), Sources()
        self.splits, self.persons, self._files = Categorical(), Categorical(), Categorical()
        self._labels, self._lines = Numbers(), Numbers()  # a line of 0: none
        self._votes, self._voted = array("f"), Numbers()  # the votes of those that have some; their rows in it from 1
        self._classes = 0
        self.attributes: dict[str, Categorical] = {}
        for sample in samples:
            self.append(sample)

    def append(self, sample: Sample) -> None:
        """One more sample at the end."""
        if self.attributes or sample.attributes:
            self._append_attributes(sample.attributes)
        self.names.append(sample.name)
        self.pictures.append(sample.picture, sample.box_xyxy)
        self.splits.append(sample.split)
        self.persons.append(sample.person)
        self._files.append(str(sample.file))
        self._labels.append(sample.label)
        self._lines.append(sample.line or 0)
        if sample.votes is not None:
            self._classes = len(sample.votes)
            self._votes.frombytes(sample.votes.astype(np.float32).tobytes())
        self._voted.append(0 if sample.votes is None else len(self._votes) // self._classes)

    def _append_attributes(self, attributes: dict[str, str]) -> None:
        if not self:
            self.attributes = {name: Categorical() for name in attributes}
        for name in self.attributes.keys() - attributes.keys():
            del self.attributes[name]
        for name, column in self.attributes.items():
            column.append(attributes[name])

    def __len__(self) -> int:
        return len(self.names)

    @property
    def labels(self) -> np.ndarray:
        """(N,) unsigned, to be let go of before the next `append`."""
        return self._labels.array()

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray) -> Samples: ...
    def __getitem__(self, index: int | slice | np.ndarray) -> Sample | Samples:
        if isinstance(index, (slice, np.ndarray)):
            return self._rows(rows_at(index, len(self)))
        row = range(len(self))[index]
        picture = self.pictures[row]
        return Sample(
            name=self.names[row],
            split=self.splits[row],
            label=self._labels[row],
            picture=picture.source,
            file=Path(self._files[row]),
            line=self._lines[row] or None,
            votes=self.votes(np.array([row]))[0] if self._voted[row] else None,
            person=self.persons[row],
            box_xyxy=picture.box_xyxy,
            attributes={name: column[row] for name, column in self.attributes.items()} or NOTHING,
        )

    def votes(self, rows: np.ndarray) -> np.ndarray:
        """(M, K) float32 of `rows` (M,) int, all of which have some."""
        votes = np.frombuffer(self._votes, np.float32).reshape(-1, self._classes)
        return votes[self._voted.array()[rows].astype(np.int64) - 1]

    def voted(self) -> np.ndarray:
        """(N,) bool: which samples have votes."""
        return self._voted.array() > 0

    def with_split(self, split: str, where: np.ndarray) -> Samples:
        """The same, of `split` at `where`, (N,) bool."""
        changed = copy.copy(self)
        changed.splits = self.splits.replaced(where, split)
        return changed

    def _rows(self, rows: np.ndarray) -> Samples:
        some = Samples()
        some.names, some.pictures = self.names[rows], self.pictures[rows]
        some.splits, some.persons, some._files = (
            column.rows(rows) for column in (self.splits, self.persons, self._files)
        )
        some.attributes = {name: column.rows(rows) for name, column in self.attributes.items()}
        some._votes, some._classes = self._votes, self._classes
        some._labels, some._lines, some._voted = (
            column.rows(rows) for column in (self._labels, self._lines, self._voted)
        )
        return some


class Listing(NamedTuple):
    """What a format reads of a split: its faces (those of other splits may be among them), and the class names."""

    samples: Sequence[Sample]
    class_names: tuple[str, ...]


def build_face_set(
    samples: Iterable[Sample],
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
    kept = samples_of(samples, split)
    del samples
    return_freed_memory()
    images, broken = (storage or Storage()).store(kept.pictures)
    faults += [Fault(kept[row].file, kept[row].line, what) for row, what in broken.items()]
    if broken:
        kept = kept[np.delete(np.arange(len(kept)), list(broken))]
    raise_errors(faults, skip_bad=skip_bad)
    if not kept:
        raise NoFaces(f"no usable face for {split}; `python -m data.check DIR` shows what the folder holds.")
    voted = kept.voted()
    if voted.any() and not voted.all():
        raise UserError(f"{(~voted).sum()} of {len(kept)} faces for {split} have no votes; give all, or none.")
    if voted.any():
        votes = kept.votes(np.arange(len(kept)))
        votes /= votes.sum(axis=1, keepdims=True)
    else:
        votes = one_hot(kept.labels, len(class_names))
    return FaceSet(
        images=images,
        votes=votes,
        labels=kept.labels.astype(np.int32),
        names=kept.names if images.decoded is None else tuple(kept.names),
        class_names=class_names,
        has_votes=bool(voted.any()),
        attributes={name: column.array() for name, column in kept.attributes.items()},
        persons=None if kept.persons.equal("").any() else kept.persons.array(),
    )


def samples_of(samples: Iterable[Sample], split: str) -> Samples:
    """Those of `split`, as columns."""
    columns = samples if isinstance(samples, Samples) else Samples(samples)
    mine = columns.splits.equal(split)
    return columns if mine.all() else columns[mine]
