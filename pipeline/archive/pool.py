"""Processes that do units: as many as asked, one unit each at a time, and none is lost when one dies.

In:  units, a function that makes a worker in its process.
Out: events, as they come: frames done, units done, units that failed.

A unit whose process ends, or gives no frame for too long, is tried once more when the others are done: each of its
sources alone, with no other process beside it. Processes end when this one does, however it ends.
"""

from __future__ import annotations

import collections
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from pipeline.archive.analysis import Analysis
from pipeline.archive.processes import process_context
from pipeline.archive.units import Unit
from pipeline.archive.worker import Outcome, Worker
from support import UserError
from support.files import temporary_folder
from support.process import ignore_stop_signals, signals_blocked

POLL_S = 0.2  # between two looks at the clock while nothing comes
LOOK_S = 1.0  # seconds that count between two looks at most: more pass only where this process itself was suspended
TICK_S = 0.5  # between two reports of a process about its frames


@dataclass(frozen=True)
class Ticked:
    """So many more frames and faces."""

    frames: int
    faces: int


@dataclass(frozen=True)
class Failed:
    """A unit that ended its process twice, or took too long twice."""

    unit: Unit
    why: str


Event = Ticked | Outcome | Failed


@dataclass(eq=False)
class Job:
    """A process, its end of the pipe, its unit, and for how long it has given no sign of life."""

    process: Any
    connection: Connection
    unit: Unit | None = None
    silent_s: float = 0.0


@dataclass
class Pool:
    """jobs: processes. time_limit: seconds that a frame or picture may take. stop_requested: asked again and again."""

    analysis: Analysis
    place: str
    jobs: int
    time_limit: float
    stop_requested: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic
    worker: Callable[..., Callable[[Unit], Outcome]] = Worker
    _jobs: list[Job] = field(default_factory=list, init=False)
    _copies: str = field(default="", init=False)  # folder for temporary files of the processes
    _again: collections.deque[Unit] = field(default_factory=collections.deque, init=False)
    dropped: set[str] = field(default_factory=set, init=False)  # keys of films whose stretches are not wanted any more

    def run(self, units: Iterator[Unit]) -> Iterator[Event]:
        """Do all units, and those that outcomes ask for instead."""
        with temporary_folder("facial-expressions-archive-") as self._copies:  # a process that is killed leaves its own
            try:
                yield from self._phase(collections.deque(), units, jobs=self.jobs, last=False)
                self._end()
                if self._again and not self.stop_requested():
                    yield from self._phase(self._again, iter(()), jobs=1, last=True)
            finally:
                self._end()

    def _phase(
        self, waiting: collections.deque[Unit], units: Iterator[Unit], *, jobs: int, last: bool
    ) -> Iterator[Event]:
        looked_s = self.clock()
        while not self.stop_requested():
            while (unit := self._next(waiting, units, jobs)) is not None:
                self._give(unit, fresh=last)
            busy = [job for job in self._jobs if job.unit]
            if not busy:
                return
            ready = multiprocessing.connection.wait([job.connection for job in busy], POLL_S)
            for job in [job for job in busy if job.connection in ready]:
                for event in self._listen(job, last=last):
                    if isinstance(event, Outcome) and not (event.unit.stretch and event.unit.key in self.dropped):
                        waiting.extendleft(reversed(event.again))
                    yield event
            passed_s = self.clock() - looked_s
            looked_s += passed_s
            for job in self._jobs:
                job.silent_s += min(passed_s, LOOK_S)
            for job in [job for job in self._jobs if job.unit and job.silent_s > self.time_limit]:
                yield from self._lose(job, f"no frame came for {self.time_limit:g} s", last=last)

    def _next(self, waiting: collections.deque[Unit], units: Iterator[Unit], jobs: int) -> Unit | None:
        """The next unit, where a process may take one."""
        if sum(job.unit is not None for job in self._jobs) >= jobs:
            return None
        while waiting:
            unit = waiting.popleft()
            if not (unit.stretch and unit.key in self.dropped):
                return unit
        return next(units, None)

    def _give(self, unit: Unit, *, fresh: bool) -> None:
        """Hand the unit to an idle process, or to a new one; `fresh`: only to a new one."""
        if fresh:
            self._end()
        job = next((job for job in self._jobs if not job.unit), None) or self._start()
        job.unit, job.silent_s = unit, 0.0
        with contextlib.suppress(BrokenPipeError):  # it died while idle, which is noticed when it is listened to
            job.connection.send(unit)

    def _start(self) -> Job:
        context: Any = process_context()
        ours, theirs = context.Pipe()
        arguments = (theirs, self.worker, self.analysis, self.place, self._copies)
        process = context.Process(target=serve, args=arguments, daemon=True)
        with signals_blocked():
            process.start()
        theirs.close()
        job = Job(process, ours)
        self._jobs.append(job)
        return job

    def _listen(self, job: Job, *, last: bool) -> Iterator[Event]:
        try:
            said = job.connection.recv()
        except (EOFError, OSError):
            job.process.join()
            code = job.process.exitcode
            why = f"its process was ended by {signal.Signals(-code).name}" if code and code < 0 else "its process ended"
            yield from self._lose(job, why, last=last)
            return
        job.silent_s = 0.0
        if isinstance(said, UserError):  # the disk is full, the weights are not there
            raise said
        if isinstance(said, str):
            yield from self._lose(job, said, last=last)
            return
        if isinstance(said, Outcome):
            job.unit = None
        yield said

    def _lose(self, job: Job, why: str, *, last: bool) -> Iterator[Event]:
        """End a job; its unit is tried once more, or has failed."""
        unit = job.unit
        job.process.kill()
        job.process.join()
        job.connection.close()
        self._jobs.remove(job)
        if unit is None or (unit.stretch and unit.key in self.dropped):
            return
        if last:
            yield Failed(unit, f"{why}, twice")
        else:
            self._again.extend(unit.alone())

    def _end(self) -> None:
        for job in self._jobs:
            job.process.kill()
        for job in self._jobs:
            job.process.join()
            job.connection.close()
        self._jobs.clear()


def serve(
    connection: Connection, make: Callable[..., Callable[[Unit], Outcome]], analysis: Analysis, place: str, copies: str
) -> None:
    """What a process does: units from the pipe, one after the other, until it closes; temporary files in `copies`."""
    ignore_stop_signals()
    tempfile.tempdir = copies
    reporter = Reporter(connection)
    try:
        worker = make(analysis, place, tick=reporter.tick)
        while True:
            connection.send(reporter.flush(worker(connection.recv())))
    except (EOFError, ConnectionError):  # the parent has ended
        return
    except UserError as error:
        connection.send(error)
    except Exception as error:  # a fault of a decoder or of the program: this unit's, not the others'
        connection.send(what_failed(error))


def what_failed(error: Exception) -> str:
    """A sentence on what no unit should meet."""
    return f"its analysis failed: {type(error).__name__}: {error}"[:300]


class Reporter:
    """Tells the parent of frames, now and then; ends the process where the parent has ended."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._parent = connection, multiprocessing.parent_process()
        self._frames = self._faces = 0
        self._said_s = time.monotonic()

    def tick(self, frames: int, faces: int) -> None:
        """So many more."""
        if self._parent and not self._parent.is_alive():
            os._exit(1)
        self._frames, self._faces = self._frames + frames, self._faces + faces
        if time.monotonic() - self._said_s >= TICK_S:
            self._said_s = time.monotonic()
            try:
                self._connection.send(Ticked(self._frames, self._faces))
            except ConnectionError:  # it has ended since
                os._exit(1)
            self._frames = self._faces = 0

    def flush(self, outcome: Outcome) -> Outcome:
        """Send the rest, which belongs to this outcome; the outcome."""
        self._connection.send(Ticked(self._frames, self._faces))
        self._frames = self._faces = 0
        return outcome
