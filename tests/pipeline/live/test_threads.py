"""Steps in threads: order, overlap, the newest at the entrance, errors and ends."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest

from pipeline.live.threads import Stages

STEP_S = 0.01


def same(item):
    return item


def slow(item):
    time.sleep(STEP_S)  # as work that leaves the processor and the interpreter to others
    return item


def drain(stages: Stages) -> list:
    items = []
    while not stages.ended:
        if (item := stages.get(timeout_s=5)) is not None:
            items.append(item)
    return items


@pytest.mark.parametrize(
    ("places", "workers"), [(1, None), (2, None), (5, None), (4, (2, 1)), (8, (3, 2)), (1, (3, 2))]
)
def test_every_item_once_in_order_through_every_step(places, workers):
    waits_s = np.random.default_rng(0).uniform(0, 0.004, 80)

    def uneven(item):
        time.sleep(waits_s[item[0] + 40 * (len(item) - 1)])
        return [*item, len(item)]

    with Stages(([i] for i in range(40)), uneven, uneven, places=places) as stages:
        assert drain(stages) == [[i, 1, 2] for i in range(40)]
        assert stages.ended
        assert stages.get(timeout_s=0) is None


def test_steps_run_beside_each_other():
    started = time.monotonic()
    with Stages(iter(range(30)), slow, slow, places=2) as stages:
        drain(stages)
    assert 30 * STEP_S <= time.monotonic() - started < 1.6 * 30 * STEP_S  # one after the other it would be twice


def test_no_more_items_are_on_their_way_than_there_are_places():
    asked = []

    def items():
        for i in range(20):
            asked.append(i)
            yield i

    with Stages(items(), same, same, places=2) as stages:
        for i in range(20):
            item = stages.get(timeout_s=5)
            time.sleep(0.002)  # what is on its way has time to come through
            assert item == i
            assert len(asked) <= i + 2  # this one and the one behind it


class Camera:
    """A number a millisecond, whether somebody looks or not."""

    def __init__(self) -> None:
        self.started_s = time.monotonic()

    def now(self) -> int:
        return int((time.monotonic() - self.started_s) * 1000)

    def __iter__(self):
        while True:
            yield self.now()


@pytest.mark.parametrize("steps_s", [(0.02, 0.01, 0.002), (0.01, 0.02, 0.002), (0.002, 0.004, 0.02)])
def test_under_overload_the_rate_falls_and_the_lag_does_not_grow(steps_s):
    camera, seen, lags_s, times_s = Camera(), [], [], []
    find, read = (lambda item, s=s: time.sleep(s) or item for s in steps_s[:2])
    with Stages(iter(camera), find, read) as stages:
        for _ in range(40):
            seen.append(stages.get(timeout_s=5))
            time.sleep(steps_s[2])
            lags_s.append((camera.now() - seen[-1]) / 1000)
            times_s.append(time.monotonic())
    assert (np.diff(seen[2:]) > 5).all(), "what is old is passed over at the entrance"
    frame_s = np.mean(np.diff(times_s))
    assert np.median(lags_s[5:]) <= 2.05 * frame_s
    assert np.percentile(lags_s[5:], 95) <= 2.3 * frame_s  # and what a busy machine adds
    assert np.median(lags_s[-10:]) <= 1.3 * np.median(lags_s[5:15])


def test_nothing_comes_for_a_while_and_then_it_does():
    script = [None, 1, None, None, 2]
    with Stages(iter(script), same) as stages:
        assert drain(stages) == [1, 2]


def test_waiting_for_the_next_item_ends_when_told_and_costs_no_time():
    gate = threading.Event()

    def items():
        gate.wait(10)
        yield 1

    with Stages(items(), same) as stages:
        started, worked = time.monotonic(), time.process_time()
        assert stages.get(timeout_s=0.2) is None
        assert not stages.ended
        assert 0.15 < time.monotonic() - started < 1
        assert time.process_time() - worked < 0.1
        gate.set()
        assert stages.get(timeout_s=5) == 1


@pytest.mark.parametrize("place", ["items", "first", "second"])
def test_what_goes_wrong_is_raised_where_items_are_taken_after_those_before_it(place):
    class Broken(Exception):
        pass

    def fails(here):
        def step(item):
            if here == place and item == 3:
                raise Broken(item)
            return item

        return step

    items = map(fails("items"), range(10))
    with Stages(items, fails("first"), fails("second"), places=3) as stages:
        assert [stages.get(timeout_s=5) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(Broken, match="3"):
            stages.get(timeout_s=5)
        assert stages.ended


@pytest.mark.parametrize("taken", [0, 1, 7])
def test_leaving_early_ends_every_thread(taken):
    before = threading.active_count()
    with Stages(itertools.count(), slow, slow, places=3) as stages:
        for _ in range(taken):
            stages.get(timeout_s=5)
        assert threading.active_count() == before + 2
    assert threading.active_count() == before


def test_a_step_that_gives_up_waiting_is_not_taken_for_one_that_is_slow():
    def out_of_time(item):
        raise TimeoutError("the stream does not answer")

    with Stages(iter(range(3)), out_of_time) as stages, pytest.raises(TimeoutError, match="does not answer"):
        stages.get(timeout_s=5)


def test_a_slow_step_keeps_its_item_for_the_next_time():
    with Stages(iter(range(3)), lambda item: time.sleep(0.1) or item) as stages:
        found = [stages.get(timeout_s=0.02) for _ in range(12)]
    assert [item for item in found if item is not None][:2] == [0, 1]


def test_a_silent_source_does_not_hold_up_the_end():
    def silent():
        while True:
            time.sleep(0.01)
            yield None

    started = time.monotonic()
    with Stages(silent(), same, same) as stages:
        assert stages.get(timeout_s=0.02) is None
    assert time.monotonic() - started < 1
