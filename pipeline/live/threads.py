"""Stages in threads of their own: while one frame is shown, the next is already worked on.

In:  an iterator of items, the stages that each of them goes through, how many may be in flight at once.
Out: the items behind the last stage, in order; or the error of a stage, raised where items are taken out.

An item needs a slot to enter, and frees it when the item after it is asked for. So no queue grows, nothing is doubled,
or lost but by `forget`, and when the consumer is slow the iterator is asked later: from a camera that is the newest
frame. With n slots an item is in flight for n times the interval between items at most (Little 1961): under overload
the rate falls, the lag does not grow.
"""

from __future__ import annotations

import collections
import concurrent.futures
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
END = object()  # follows the last item


class StageThreads(Generic[Item]):
    """A thread a stage; the first also asks the iterator. A context manager: at its end every thread has ended.

    items: what enters; None stands for "nothing yet, ask again". It is asked by one thread, and not closed.
    stages: functions of one item; what one returns goes to the next, what the last returns is an `Item`.
    max_in_flight: how many items may be under way, from the iterator to the one taken out last.
    """

    def __init__(self, items: Iterator[Any], *stages: Callable[[Any], Any], max_in_flight: int = 2) -> None:
        self.ended = self._stopped = False
        self._forgotten = 0  # of those in flight, the first so many
        self._items, self._stages, self._max_in_flight = items, stages, max_in_flight
        self._threads = [ThreadPoolExecutor(1, thread_name_prefix=stage.__name__) for stage in stages]
        self._in_flight: collections.deque[Future[Any]] = collections.deque()

    def get(self, timeout_s: float) -> Item | None:
        """The next item; None where `ended` is True, none was ready in `timeout_s`, or one is dropped (`forget`)."""
        if self.ended:
            return None
        self._fill_slots()
        if not concurrent.futures.wait([self._in_flight[0]], timeout_s).done:
            return None
        self.ended = True  # also where a stage failed
        item = self._in_flight.popleft().result()
        self.ended = item is END
        if self._forgotten:
            self._forgotten, item = self._forgotten - 1, None
        return None if self.ended else item

    def forget(self) -> None:
        """Drop what is in flight now: in its place `get` gives None."""
        self._forgotten = len(self._in_flight)

    def _fill_slots(self) -> None:
        """Let an item start for each free slot: each stage's thread takes them in order, as soon as it has time."""
        while len(self._in_flight) < self._max_in_flight:
            before = self._ask
            for thread, stage in zip(self._threads, self._stages, strict=True):
                future = thread.submit(_pass_on, before, stage)
                before = future.result
            self._in_flight.append(future)

    def _ask(self) -> Any:
        """The iterator's next item."""
        item = None
        while item is None and not self._stopped:
            item = next(self._items, END)
        return END if self._stopped else item

    def __enter__(self) -> StageThreads[Item]:
        self._fill_slots()
        return self

    def __exit__(self, *exception: object) -> None:
        self.ended = self._stopped = True
        for thread in self._threads:
            thread.shutdown(cancel_futures=True)


def _pass_on(before: Callable[[], Any], stage: Callable[[Any], Any]) -> Any:
    """What the stage makes of the item that comes from `before`."""
    return item if (item := before()) is END else stage(item)
