"""One process of an archive: does units, one after the other, with networks that are loaded once.

In:  a `Unit`.
Out: its file in the store, whole or not there, with records of its sources in the file's own metadata; an `Outcome`.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import cv2

from data.sources.film import open_film
from data.sources.frame import FileSource, Frame, FrameSource, Skipped
from data.sources.pictures import open_picture
from pipeline.archive.analysis import Analysis
from pipeline.archive.results.crops import Crops
from pipeline.archive.results.rows import Heatmaps, Rows
from pipeline.archive.results.store import CannotStore, Store
from pipeline.archive.sources import Source, Version, local_copy, sha256_of, version_of
from pipeline.archive.stretches import NotCuttable, Stretch, stretch_frames, stretches_of
from pipeline.archive.units import Unit
from pipeline.live.feed import Feed, FeedOptions
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker
from support import UserError

Tick = Callable[[int, int], None]  # frames and faces more


@dataclass
class Times:
    """Seconds in which frames were read and decoded, in which networks ran, of processors, and in all."""

    reading_s: float = 0.0
    networks_s: float = 0.0
    cpu_s: float = 0.0
    wall_s: float = 0.0

    def add(self, other: Times) -> None:
        """Those of other work."""
        self.reading_s += other.reading_s
        self.networks_s += other.networks_s
        self.cpu_s += other.cpu_s
        self.wall_s += other.wall_s


@dataclass(frozen=True)
class Outcome:
    """What became of a unit. again: units to be done in its place."""

    unit: Unit
    frames: int = 0
    faces: int = 0
    failed: int = 0
    again: tuple[Unit, ...] = ()
    times: Times = field(default_factory=Times)


class Worker:
    """Does units in this process. tick: called as frames are done, with how many frames and faces."""

    def __init__(self, analysis: Analysis, place: str, *, tick: Tick = lambda frames, faces: None) -> None:
        cv2.setNumThreads(1)
        self.analysis, self.store, self.tick = analysis, Store(place), tick

    def _alive(self) -> None:
        self.tick(0, 0)

    @functools.cached_property
    def pipeline(self) -> EmotionPipeline:
        """The networks, loaded when the first unit needs them."""
        return self.analysis.pipeline()

    def __call__(self, unit: Unit) -> Outcome:
        """Do a unit, or say into which others it is cut."""
        if unit.is_film and self.analysis.stretch_s and (cut := self._cut(unit)):
            return Outcome(unit, again=cut)
        if unit.stretch and self._is_done(unit):  # by a run that was ended
            return Outcome(unit)
        try:
            return self._analyse(unit)
        except NotCuttable:
            return Outcome(unit, again=(Unit(unit.sources, whole=True),))

    def _is_done(self, unit: Unit) -> bool:
        names = [unit.name, unit.heatmaps_name] if self.analysis.heatmaps else [unit.name]
        return all(self.store.records(name) is not None for name in names)

    def _cut(self, unit: Unit) -> tuple[Unit, ...]:
        """The stretches of a long film."""
        (source,) = unit.sources
        stretch_s, step = self.analysis.stretch_s, self.analysis.step
        try:
            with local_copy(source.path, alive=self._alive) as path:
                stretches = stretches_of(path, stretch_s=stretch_s, step=step, alive=self._alive)
                sha256 = sha256_of(path, alive=self._alive) if stretches else ""
        except OSError:  # of a bucket; reading it in one go says why
            return ()
        units = tuple(replace(unit, stretch=stretch, sha256=sha256) for stretch in stretches)
        if self.analysis.crops and not any(self.store.exists(unit.name) for unit in units):
            Crops(self.store, source).clear()
        return units

    def _analyse(self, unit: Unit) -> Outcome:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        rows, heatmaps = Rows(self.pipeline.classifier.class_names, self.analysis.columns), Heatmaps()
        times = Times()
        if self.analysis.crops and not unit.stretch:
            for source in unit.sources:
                Crops(self.store, source).clear()
        records = [self._source(source, unit, rows, heatmaps, times) for source in unit.sources]
        if self.analysis.heatmaps:
            table = heatmaps.sums() if unit.stretch else heatmaps.means()
            self.store.write_table(unit.heatmaps_name, table, [])
        self.store.write_table(unit.name, rows.table(), records)  # the last: with it the unit is done
        times.cpu_s, times.wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
        return Outcome(
            unit,
            frames=sum(record["frames"] for record in records),
            faces=sum(record["faces"] for record in records),
            failed=sum(record["failed"] for record in records),
            times=times,
        )

    def _source(self, source: Source, unit: Unit, rows: Rows, heatmaps: Heatmaps, times: Times) -> dict[str, Any]:
        """Analyse one source, or the stretch of it; its record."""
        record = new_record(source, unit.sha256)
        crops = Crops(self.store, source) if self.analysis.crops else None
        first = unit.stretch.first if unit.stretch else 0
        path, index = source.path, 0
        with contextlib.ExitStack() as opened:
            try:
                record |= known(version_of(source.path))
                path = opened.enter_context(local_copy(source.path, alive=self._alive))
                record["sha256"] = unit.sha256 or sha256_of(path, alive=self._alive)
                frames = opened.enter_context(self._open(path, source, unit.stretch, record))
                for frame, result in self._results(frames, times):
                    index = frame.index + 1
                    rows.add(frame, result, source.own)
                    own = frame.index >= first  # and no overlap
                    if own:
                        record["frames"] += 1
                        record["faces"] += len(result.faces)
                        record["seconds"] = round(frame.time_s, 6)
                        heatmaps.add(frame, result)
                    if own and crops:
                        crops.add(frame, result)
                    self.tick(own, own * len(result.faces))
                    for skipped in frames.take_skipped():
                        self._skip(skipped, first, source, rows, record)
            except CannotStore:  # no fault of the source
                raise
            except (UserError, OSError) as error:
                if unit.stretch:  # rows of a part would pass for all of them
                    raise NotCuttable from error
                problem = str(error).replace(path, source.name)  # and not the name of a temporary copy
                record |= {"problem": problem, "failed": True}
                rows.add_skipped(Skipped(source.name, index, problem), source.own)
            else:
                for skipped in frames.take_skipped():
                    self._skip(skipped, first, source, rows, record)
        return record

    def _skip(self, skipped: Skipped, first: int, source: Source, rows: Rows, record: dict[str, Any]) -> None:
        if skipped.index >= first:
            rows.add_skipped(skipped, source.own)
            if not skipped.pause:
                record["skipped"] += skipped.frames
                record["problem"] = record["problem"] or skipped.reason

    def _open(self, path: str, source: Source, stretch: Stretch | None, record: dict[str, Any]) -> FrameSource:
        """The frames that are to be analysed: all of a picture, each `step`-th of a film."""
        if source.is_picture:
            opened: FrameSource = open_picture(path, name=source.name)
            record["promised"] = opened.count
            return opened
        if stretch is None:
            film = open_film(path, name=source.name)
            record["promised"] = film.promised
            given = _with_skipped(film)
            release = film.close
        else:
            record["promised"] = stretch.promised
            given, release = stretch_frames(path, source.name, stretch, alive=self._alive), lambda: None
        return FileSource(source.name, self._chosen(given), release=release)

    def _chosen(self, given: Iterator[Frame | Skipped]) -> Iterator[Frame | Skipped]:
        """Each `step`-th frame, and what is said between them; a frame that is left out is a sign of life, too."""
        for one in given:
            self._alive()
            if not isinstance(one, Frame) or one.index % self.analysis.step == 0:
                yield one

    def _results(self, source: FrameSource, times: Times) -> Iterator[Any]:
        """Each frame with its result, as a session of live.py gives them."""
        loaded = self.pipeline
        tracker = None if source.stills else Tracker()
        pipeline = EmotionPipeline(loaded.detector, loaded.classifier, tracker=tracker, options=loaded.options)
        feed = Feed(
            source,
            pipeline,
            options=FeedOptions(False, loaded.options),
            batch_size=self.analysis.batch_size,
            whole_pictures=self.analysis.imgsz is None,
        )
        batches = feed.grab()
        while True:
            start_s = time.perf_counter()
            batch = next(batches, None)
            read_s = time.perf_counter()
            times.reading_s += read_s - start_s
            if batch is None:
                if source.ended:
                    return
                continue
            analysed = feed.analyse(batch)
            times.networks_s += time.perf_counter() - read_s
            yield from ((one.frame, one.result) for one in analysed)


def _with_skipped(film: FrameSource) -> Iterator[Frame | Skipped]:
    for frame in film:
        yield from film.take_skipped()
        yield frame
    yield from film.take_skipped()


def known(version: Version | None) -> dict[str, Any]:
    """The columns of a record that tell a version."""
    return {"bytes": version.size if version else None, "mtime_ns": version.mtime_ns if version else None}


def new_record(source: Source, sha256: str = "") -> dict[str, Any]:
    """What is known of a source before it is read."""
    return {
        "source": source.name,
        "path": source.place,
        "kind": "picture" if source.is_picture else "film",
        "frames": 0,
        "promised": None,
        "skipped": 0,
        "faces": 0,
        "seconds": 0.0,
        "seams": 0,
        "doubts": [],
        "problem": None,
        "failed": False,
        "sha256": sha256,
        **known(None),
        "own": list(source.own),
    }
