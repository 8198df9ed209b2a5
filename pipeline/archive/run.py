"""An archive from its sources to its results.

In:  sources, what is asked of them, where results lie, on which engine.
Out: the results; how many sources failed.
"""

from __future__ import annotations

import collections
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.archive.pool import Event, Failed, Ticked
from pipeline.archive.progress import Progress, duration
from pipeline.archive.results.dataset import Dataset
from pipeline.archive.sources import Source
from pipeline.archive.units import Unit, units_of
from pipeline.archive.worker import Times
from support import count, notify

Engine = Callable[[Iterator[Unit]], Iterator[Event]]


@dataclass
class Account:
    """What has been done in this run: times of its processes, seams between stretches and those that differ."""

    progress: Progress
    times: Times = field(default_factory=Times)
    seams: int = 0
    doubts: list[str] = field(default_factory=list)

    def sentences(self) -> Iterator[str]:
        """All of it, at the end."""
        yield f"{self.progress.line()}, in {duration(self.progress.seconds)}"
        if limits := self.limits():
            yield limits
        if self.seams:
            seams = count(self.seams, "seam")
            yield f"{seams} between stretches of films, {len(self.doubts)} of them with a difference"
        for doubt in self.doubts[:20]:
            yield f"  {doubt}"

    def limits(self) -> str:
        """What the processes spent their time with, and whether they had the cores and the disk that they wanted."""
        times = self.times
        if not times.wall_s:
            return ""
        reading, networks = times.reading_s / times.wall_s, times.networks_s / times.wall_s
        waiting = max(0.0, 1 - times.cpu_s / times.wall_s)
        limit = max((networks, "the networks"), (reading, "reading and decoding"))[1]
        if waiting > 0.25:
            limit = "other programs on these cores, or the disk"
        return (
            f"networks {100 * networks:.0f} % of the processes' time, reading and decoding {100 * reading:.0f} %, "
            f"the rest {100 * max(0.0, 1 - networks - reading):.0f} %; {100 * waiting:.0f} % of it waiting: "
            f"the limit is {limit}"
        )


@dataclass
class Archive:
    """Follows the events of an engine: joins films whose stretches are done, remembers what failed."""

    dataset: Dataset
    account: Account
    drop: Callable[[str], None] = lambda key: None  # tells the engine that a film's stretches are not wanted
    stretches: dict[str, dict[int, Unit]] = field(default_factory=lambda: collections.defaultdict(dict))
    failed: dict[Source, str] = field(default_factory=dict)
    _dropped: set[str] = field(default_factory=set)

    def take(self, event: Event) -> None:
        """One event."""
        progress = self.account.progress
        if isinstance(event, Ticked):
            progress.add(frames=event.frames, faces=event.faces)
        elif isinstance(event, Failed):
            self._fail(event)
        else:
            self.account.times.add(event.times)
            unit = event.unit
            if event.again:
                if unit.stretch:
                    self._drop(unit)  # it is read in one go
            elif unit.stretch:
                self._take_stretch(unit)
            else:
                progress.add(sources=len(unit.sources), failed=event.failed)

    def _take_stretch(self, unit: Unit) -> None:
        if unit.key in self._dropped or unit.stretch is None:
            return
        done = self.stretches[unit.key]
        done[unit.stretch.number] = unit
        self.account.progress.add(sources=1 / unit.stretch.count)
        if len(done) == unit.stretch.count:
            record = self.dataset.join(list(done.values()))
            self.account.progress.add(failed=record["failed"])
            self.account.seams += record["seams"]
            self.account.doubts += [f"{record['source']}, {doubt}" for doubt in record["doubts"]]
            del self.stretches[unit.key]

    def _fail(self, event: Failed) -> None:
        (source,) = event.unit.sources
        if source in self.failed or (event.unit.stretch and event.unit.key in self._dropped):
            return
        self.failed[source] = event.why
        self.dataset.fail(event.unit, event.why)
        if event.unit.stretch:
            self._drop(event.unit)
        self.account.progress.add(sources=1, failed=1)

    def _drop(self, unit: Unit) -> None:
        if unit.key in self._dropped or unit.stretch is None:
            return
        self._dropped.add(unit.key)
        self.drop(unit.key)
        counted = len(self.stretches.pop(unit.key, {})) / unit.stretch.count
        self.account.progress.add(sources=-counted)


def run_archive(
    sources: Sequence[Source],
    dataset: Dataset,
    engine: Engine,
    *,
    drop: Callable[[str], None] = lambda key: None,
    stop_requested: Callable[[], bool] = lambda: False,
) -> int:
    """Do what is not done yet; the exit code: 0, or 1 where a source failed. Raises KeyboardInterrupt when stopped."""
    dataset.tidy()
    todo = dataset.remaining(sources)
    if len(todo) < len(sources):
        done = len(sources) - len(todo)
        notify(f"{done:,} of {count(len(sources), 'source')} {'is' if done == 1 else 'are'} done already")
    account = Account(Progress(len(todo)))
    archive = Archive(dataset, account, drop)
    try:
        for event in engine(units_of(todo)):
            archive.take(event)
    finally:
        account.progress.close()
    stopped = stop_requested()
    if not stopped:
        dataset.forget_stretches(sources)
    failed = dataset.write_sources()
    for sentence in account.sentences() if todo else ():
        notify(sentence)
    if stopped:
        notify(f"stopped; this goes on: {shlex.join(['python', '-m', 'pipeline.archive', *sys.argv[1:]])}")
        raise KeyboardInterrupt
    for source, why in list(archive.failed.items())[:20]:
        notify(f"  {source.name}: {why}")
    if failed:
        notify(failures(failed, earlier=failed - account.progress.failed))
    return 1 if failed else 0


def failures(failed: int, *, earlier: int) -> str:
    """How many sources failed, `earlier` of them in runs before and not named in this one."""
    sentence = f"{count(failed, 'source')} failed"
    if earlier:
        sentence += " in an earlier run" if earlier == failed else f", {earlier:,} of them in an earlier run"
    sentence += "; the column `problem` of _sources.parquet says why"
    return f"{sentence}; what failed in an earlier run is tried again when it is named again" if earlier else sentence
