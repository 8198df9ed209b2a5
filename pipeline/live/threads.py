"""Steps in threads of their own: while one frame is shown, the next is already worked on.

In:  an iterator of items, the steps that each of them goes through, how many may be on their way at once.
Out: the items behind the last step, in order; or what went wrong in a step, raised where they are taken out.

    with Stages(frames, find, read) as stages:
        while not stages.ended:
            if (item := stages.get(timeout_s=0.02)) is not None:
                show(item)

An item needs a place to enter, and gives it back when the one after it is asked for. So no queue grows, nothing is lost
or doubled on the way, and when the taker is slow the iterator is asked later: from a camera that is the newest frame.
With n places an item is on its way for n times the time from one to the next at most (Little 1961): under overload the
rate falls, the lag does not grow.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any


class _Last:
    """What stands behind the last item: the end, or the `error` for which there are no more."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class Stages:
    """A thread a step; the first also asks the iterator. A context manager: at its end every thread has ended.

    items: what enters; None stands for "nothing yet, ask again". It is asked by one thread, and not closed.
    places: how many items may be on their way, from the iterator to the one taken out last.
    """

    def __init__(self, items: Iterator[Any], *steps: Callable[[Any], Any], places: int = 2) -> None:
        self.ended = False
        self._stopped = False
        self._places = threading.Semaphore(places)
        self._holding = False  # does the item taken out last still have its place?
        self._threads, arriving = [], self._admitted(items)
        for step in steps:
            self._out: queue.SimpleQueue = queue.SimpleQueue()
            self._threads.append(threading.Thread(target=_work, args=(arriving, step, self._out), name=step.__name__))
            arriving = _taken_from(self._out)

    def get(self, timeout_s: float) -> Any | None:
        """The next item, or None: then either `ended` is True, or none was ready within `timeout_s`."""
        if self.ended:
            return None
        if self._holding:
            self._holding = False
            self._places.release()
        try:
            item = self._out.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(item, _Last):
            self.ended = True
            if item.error:
                raise item.error
            return None
        self._holding = True
        return item

    def _admitted(self, items: Iterator[Any]) -> Iterator[Any]:
        """Items as places become free."""
        while self._places.acquire() and not self._stopped:
            item = None
            while item is None and not self._stopped:
                item = next(items, self)
            if item is self or self._stopped:
                return
            yield item

    def __enter__(self) -> Stages:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.ended = self._stopped = True
        self._places.release()
        for thread in self._threads:
            thread.join()


def _work(arriving: Iterator[Any], step: Callable[[Any], Any], out: queue.SimpleQueue) -> None:
    """One thread: every item through `step`, then how it ended."""
    last = _Last()
    try:
        for item in arriving:
            out.put(step(item))
    except BaseException as error:  # whatever it is, the taker raises it
        last = _Last(error)
    out.put(last)


def _taken_from(inbox: queue.SimpleQueue) -> Iterator[Any]:
    """What the step before gives, up to its end; what went wrong there is raised here."""
    while not isinstance(item := inbox.get(), _Last):
        yield item
    if item.error:
        raise item.error
