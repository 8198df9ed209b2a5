"""What a session showed, as numbers: who was seen for how long, and how their faces read. Memory is bounded.

In:  frame by frame the probabilities of its faces.
Out: `SessionSummary.sources`: a `Source` for each film or camera and one for all pictures; in each its people.

A frame stands for the time until the next one of its source, at most `LONGEST_S`; the last for as long as the one
before it. That is the weight of its faces, so that frames may come at any rate; a face of a picture weighs 1. Of many
people, those who were seen longest are kept with timeline, heatmaps and moments, the others as totals.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.output.report.people import Person, SeenFace, Totals

LONGEST_S = 10.0  # what comes later was not watched
ONLY_S = 1 / 30  # the time of the only frame of a source
MOST_PEOPLE, KEPT_PEOPLE = 96, 48  # kept in full; when there are more, the shorter seen become totals
RECENT_S = 10.0  # who was seen so lately may come back
MOST_NAMED = 100  # pictures, or stretches of a film, without a face
FILM_WIDTH_S, PICTURES_WIDTH = 1 / 16, 1.0  # of the first bins of a timeline; doubled, they reach whole seconds


@dataclass(eq=False)  # two plays of one film may be the same in all numbers
class Source:
    """A film, a camera, or all pictures of a session (`still`).

    frames, weight: how many, and the time that they stand for. end: when the last one ends. Of pictures all three are
    their number.
    faceless, faceless_weight: frames without a face. stretches: (start, end) of those of a film; names: of pictures.
    limits: flag -> in how many frames it cut something. others: totals of the people who are not kept in full.
    """

    name: str
    still: bool
    frames: int = 0
    weight: float = 0.0
    end: float = 0.0
    faceless: int = 0
    faceless_weight: float = 0.0
    stretches: list[tuple[float, float]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    limits: Counter[str] = field(default_factory=Counter)
    people: dict[int, Person] = field(default_factory=dict)
    others: Totals | None = None
    pending: tuple[float, list[tuple[Person, np.ndarray]]] | None = None  # the last frame: when it ends is not known
    stood: float = ONLY_S  # the time of the frame before it

    def finish(self, until: float | None = None) -> None:
        """Count the last frame, which stands `until` the next one; None: there is none."""
        if self.pending is None:
            return
        (start, faces), self.pending = self.pending, None
        if self.still:
            self.stood = 1.0
        elif until is not None:
            self.stood = min(max(until - start, 0.0), LONGEST_S)
        for person, probabilities in faces:
            person.add_numbers(probabilities, start=start, weight=self.stood)
        self.frames += 1
        self.weight += self.stood
        self.end = max(self.end, start + self.stood)
        if not faces:
            self.faceless += 1
            self.faceless_weight += self.stood
            self._add_stretch(start, start + self.stood)

    def _add_stretch(self, start: float, end: float) -> None:
        if self.stretches and abs(self.stretches[-1][1] - start) < 1e-6:
            self.stretches[-1] = (self.stretches[-1][0], end)
        else:
            if len(self.stretches) == MOST_NAMED:
                self.stretches.remove(min(self.stretches[:-1], key=lambda s: s[1] - s[0]))
            self.stretches.append((start, end))


class SessionSummary:
    """All that was seen. `class_names`: the K names of the probabilities."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        self.sources: dict[Hashable, Source] = {}
        self._peopled: list[Source] = []  # those with people who are kept in full
        self._kept = 0  # such people

    def add(
        self,
        key: Hashable,
        name: str,
        time_s: float,
        faces: Sequence[SeenFace],
        *,
        still: bool = False,
        limits: Iterable[str] = (),
    ) -> None:
        """The next frame of a film or camera, known by `key` and called `name`, or a picture (`still`).

        time_s: at least 0; only that of a film counts. limits: flags that cut something of this frame.
        """
        if still:
            source = self.sources.setdefault("pictures", Source("Pictures", still=True))
            time_s = float(source.frames + (source.pending is not None))
        else:
            source = self.sources.setdefault((key,), Source(name, still=False))
        source.finish(time_s)
        people = [self._person(source, 0 if still else face.track, time_s) for face in faces]
        for person, face in zip(people, faces, strict=True):
            label = int(face.probabilities.argmax())
            person.add_heat(face)
            person.strongest[label].offer(
                float(face.probabilities[label]), time_s, name=name if still else None, picture=face.picture
            )
        source.pending = (time_s, list(zip(people, (face.probabilities for face in faces), strict=True)))
        source.limits.update(list(limits))
        if still and not faces and len(source.names) < MOST_NAMED:
            source.names.append(name)

    def finished(self) -> SessionSummary:
        """A copy in which the last frames count, too; here they wait for the next ones."""
        copied = copy.deepcopy(self)
        for source in copied.sources.values():
            source.finish()
        return copied

    def people(self) -> list[tuple[Source, Person]]:
        """Who is kept in full, those seen longest first."""
        pairs = [(source, person) for source in self._peopled for person in source.people.values()]
        return sorted(pairs, key=lambda pair: -pair[1].totals.weight)

    def _person(self, source: Source, track: int, time_s: float) -> Person:
        if track not in source.people:
            if self._kept >= MOST_PEOPLE:
                self._make_room(source, time_s)
            if not source.people:
                self._peopled.append(source)
            self._kept += 1
            width = PICTURES_WIDTH if source.still else FILM_WIDTH_S
            source.people[track] = Person(track, len(self.class_names), time_s=time_s, width=width)
        source.people[track].last_s = time_s
        return source.people[track]

    def _make_room(self, now: Source, time_s: float) -> None:
        """Turn all but the `KEPT_PEOPLE` longest seen into totals, and spare who was seen a moment ago."""
        for source in self._peopled:
            if source is not now:
                source.finish()
        for source, person in self.people()[KEPT_PEOPLE:]:
            if source is now and time_s - person.last_s < RECENT_S:
                continue
            del source.people[person.track]
            if source.others is None:
                source.others = Totals(len(self.class_names), people=0)
            source.others.absorb(person.totals)
        self._peopled = [source for source in self._peopled if source.people]
        self._kept = sum(len(source.people) for source in self._peopled)
