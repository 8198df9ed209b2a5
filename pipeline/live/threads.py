"""Stages in threads of their own: while one frame is shown, the next is already worked on.

In:  an iterator of items, the stages that each of them goes through, how many may be in flight at once.
Out: the items behind the last stage, in order; or the error of a stage, raised where items are taken out.

    with StageThreads(batches, detect, predict) as threads:
        while not threads.ended:
            if (item := threads.get(timeout_s=0.02)) is not None:
                show(item)

An item needs a slot to enter, and frees it when the item after it is asked for. So no queue grows, nothing is lost or
doubled, and when the consumer is slow the iterator is asked later: from a camera that is the newest frame. With n slots
an item is in flight for n times the interval between items at most (Little 1961): under overload the rate falls, the
lag does not grow.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class _End:
    """Follows the last item: the normal end, or the `error` for which there are no more."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class StageThreads(Generic[Item]):
    """A thread a stage; the first also asks the iterator. A context manager: at its end every thread has ended.

    items: what enters; None stands for "nothing yet, ask again". It is asked by one thread, and not closed.
    stages: functions of one item; what one returns goes to the next, what the last returns is an `Item`.
    max_in_flight: how many items may be under way, from the iterator to the one taken out last.
    """

    def __init__(self, items: Iterator[Any], *stages: Callable[[Any], Any], max_in_flight: int = 2) -> None:
        self.ended = False
        self._stopped = False
        self._slots = threading.Semaphore(max_in_flight)
        self._holding = False  # does the item taken out last still have its slot?
        self._threads: list[threading.Thread] = []
        arriving = self._admit(items)
        for stage in stages:
            self._out: queue.SimpleQueue[Any] = queue.SimpleQueue()
            worker = threading.Thread(target=_work, args=(arriving, stage, self._out), name=stage.__name__)
            self._threads.append(worker)
            arriving = _take(self._out)

    def get(self, timeout_s: float) -> Item | None:
        """The next item, or None: then either `ended` is True, or none was ready within `timeout_s`."""
        if self.ended:
            return None
        if self._holding:
            self._holding = False
            self._slots.release()
        try:
            item = self._out.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(item, _End):
            self.ended = True
            if item.error:
                raise item.error
            return None
        self._holding = True
        return item

    def _admit(self, items: Iterator[Any]) -> Iterator[Any]:
        """Items as slots become free."""
        while self._slots.acquire() and not self._stopped:
            item = None
            while item is None and not self._stopped:
                item = next(items, self)
            if item is self or self._stopped:
                return
            yield item

    def __enter__(self) -> StageThreads[Item]:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.ended = self._stopped = True
        self._slots.release()
        for thread in self._threads:
            thread.join()


def _work(arriving: Iterator[Any], stage: Callable[[Any], Any], out: queue.SimpleQueue[Any]) -> None:
    """One thread: every item through `stage`, then how it ended."""
    end = _End()
    try:
        for item in arriving:
            out.put(stage(item))
    except BaseException as error:  # whatever it is, the consumer raises it
        end = _End(error)
    out.put(end)


def _take(inbox: queue.SimpleQueue[Any]) -> Iterator[Any]:
    """What the stage before puts out, up to its end; its error is raised here."""
    while not isinstance(item := inbox.get(), _End):
        yield item
    if item.error:
        raise item.error
