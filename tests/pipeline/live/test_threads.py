"""Stages in threads: order, concurrency, the newest item at the entrance, errors and ends. No test depends on speed."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest
from helpers.patience import PATIENCE_S

from pipeline.live.threads import StageThreads


def same(item):
    return item


def drain(threads: StageThreads) -> list:
    items = []
    while not threads.ended:
        if (item := threads.get(timeout_s=PATIENCE_S)) is not None:
            items.append(item)
    return items


@pytest.mark.parametrize("max_in_flight", [1, 2, 3, 5])
def test_every_item_once_in_order_through_every_stage(max_in_flight):
    waits_s = np.random.default_rng(0).uniform(0, 0.004, 80)

    def uneven(item):
        time.sleep(waits_s[item[0] + 40 * (len(item) - 1)])
        return [*item, len(item)]

    items = (item for i in range(40) for item in (None, [i]))  # None: nothing comes for a while
    with StageThreads(items, uneven, uneven, max_in_flight=max_in_flight) as threads:
        assert drain(threads) == [[i, 1, 2] for i in range(40)]
        assert threads.ended
        assert threads.get(timeout_s=0) is None


def test_stages_run_beside_each_other():
    meeting = threading.Barrier(2, timeout=PATIENCE_S)  # the first stage at item i + 1 meets the second at item i

    def first(item):
        if item > 0:
            meeting.wait()
        return item

    def second(item):
        if item < 9:
            meeting.wait()
        return item

    with StageThreads(iter(range(10)), first, second, max_in_flight=2) as threads:
        assert drain(threads) == list(range(10))


@pytest.mark.parametrize("max_in_flight", [1, 2, 3])
def test_no_more_items_are_in_flight_than_there_are_slots(max_in_flight):
    freed, in_flight = 0, []

    def items():
        for i in range(20):
            in_flight.append(i + 1 - freed)
            yield i

    with StageThreads(items(), same, same, max_in_flight=max_in_flight) as threads:
        for i in range(20):
            assert threads.get(timeout_s=PATIENCE_S) == i
            time.sleep(0.001)  # the threads may run ahead, if they can
            freed = i + 1  # the next `get` frees this item's slot
    assert max(in_flight) <= max_in_flight


@pytest.mark.parametrize("max_in_flight", [1, 2, 3])
def test_a_slow_consumer_gets_new_frames_and_the_lag_does_not_grow(max_in_flight):
    """A camera that is at frame 10 k when the consumer asks for its k-th: old frames are skipped, not queued."""
    newest = 0
    camera = (newest for _ in itertools.count())
    with StageThreads(camera, same, same, max_in_flight=max_in_flight) as threads:
        for k in range(40):
            newest = 10 * k
            frame = threads.get(timeout_s=PATIENCE_S)
            assert newest - 10 * (max_in_flight - 1) <= frame <= newest


def test_waiting_for_the_next_item_ends_when_told_and_loses_nothing():
    gate = threading.Event()

    def waits(item):
        assert gate.wait(PATIENCE_S)
        return item

    with StageThreads(iter(range(2)), waits) as threads:
        assert [threads.get(timeout_s=0.01) for _ in range(3)] == [None] * 3
        assert not threads.ended
        gate.set()
        assert drain(threads) == [0, 1]


@pytest.mark.parametrize("place", ["items", "first", "second"])
@pytest.mark.parametrize("kind", [RuntimeError, TimeoutError])  # the latter is no time-out of the wait for it
def test_an_error_is_raised_where_items_are_taken_after_those_before_it(place, kind):
    def fails(here):
        def stage(item):
            if here == place and item == 3:
                raise kind(item)
            return item

        return stage

    items = map(fails("items"), range(10))
    with StageThreads(items, fails("first"), fails("second"), max_in_flight=3) as threads:
        assert [threads.get(timeout_s=PATIENCE_S) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(kind, match="3"):
            threads.get(timeout_s=PATIENCE_S)
        assert threads.ended


@pytest.mark.parametrize("taken", [0, 1, 7])
def test_leaving_early_ends_every_thread(taken):
    def ends_early(item):
        return item

    def alive() -> int:
        return sum(thread.name.startswith("ends_early") for thread in threading.enumerate())

    with StageThreads(itertools.count(), ends_early, ends_early, max_in_flight=3) as threads:
        for _ in range(taken):
            threads.get(timeout_s=PATIENCE_S)
        assert alive() == 2
    assert alive() == 0


def test_a_silent_source_does_not_hold_up_the_end():
    def leave_early():
        with StageThreads(itertools.repeat(None), same, same) as threads:
            assert threads.get(timeout_s=0.01) is None

    leaving = threading.Thread(target=leave_early, daemon=True)
    leaving.start()
    leaving.join(PATIENCE_S)
    assert not leaving.is_alive()


def test_what_is_in_flight_can_be_kept_back():
    with StageThreads(iter(range(10)), same, max_in_flight=3) as threads:
        assert threads.get(timeout_s=PATIENCE_S) == 0
        threads.forget()
        threads.forget()  # more often is fine
        assert drain(threads) == list(range(3, 10))
    with StageThreads(iter(range(3)), same, max_in_flight=4) as threads:
        assert threads.get(timeout_s=PATIENCE_S) == 0
        threads.forget()  # the end is among what is in flight, and still comes
        assert drain(threads) == []
        assert threads.ended
