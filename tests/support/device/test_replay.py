"""Shapes, captures and replays on a card of tape; whether results are the network's own, for any number of rows."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from helpers.tape_card import TapeCard
from torch import nn

from support import UserError
from support.device.replay import MOST, OFTEN, SIZES, Replay, is_warming_up
from support.device.ways import Ways

TAIL = (8, 6, 3)


class Passes:
    """A function of bytes with two results, which tells what it was called with."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.BatchNorm2d(4)).eval()
        self.rows: list[int] = []

    def __call__(self, x):
        self.rows.append(len(x))
        with torch.no_grad():
            grid = self.network(x.permute(0, 3, 1, 2).float() / 255)
        return grid.mean(dim=(2, 3)), grid.argmax(dim=1)

    def alone(self, batch):
        """Each row by itself."""
        mean, best = zip(*(self(torch.from_numpy(row[None])) for row in batch), strict=True)
        return torch.cat(mean).numpy(), torch.cat(best).numpy()


def bytes_of(rows, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (rows, *TAIL), dtype=np.uint8)


def warmed(passes, card, *rows):
    replay = Replay(passes, "cpu", card=card)
    replay.warm_up([(n, *TAIL) for n in rows]).join()
    return replay


def test_any_number_of_rows_gives_what_each_row_gives_alone_from_replays_only():
    passes, card = Passes(), TapeCard()
    replay = warmed(passes, card, *SIZES)
    assert card.captures == len(SIZES)
    passes.rows.clear()
    found = {n: replay(bytes_of(n, seed=n)) for n in range(41)}
    assert passes.rows == []
    assert card.replays == sum(-(-n // SIZES[-1]) for n in range(41))
    for n, (mean, best) in found.items():
        assert (mean.shape, best.shape, mean.dtype, best.dtype) == ((n, 4), (n, 6, 4), np.float32, np.float32)
        if n:
            np.testing.assert_allclose(mean, passes.alone(bytes_of(n, seed=n))[0], rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(best, passes.alone(bytes_of(n, seed=n))[1])


def test_what_comes_back_is_not_overwritten_by_the_next_batch_and_full_rows_are_not_seen_in_smaller_batches():
    passes = Passes()
    replay = warmed(passes, TapeCard(), 4)
    first = replay(bytes_of(4, seed=1))
    kept = [one.copy() for one in first]
    three = replay(bytes_of(3, seed=2))
    for one, was in zip(first, kept, strict=True):
        np.testing.assert_array_equal(one, was)
    np.testing.assert_allclose(three[0], passes.alone(bytes_of(3, seed=2))[0], rtol=1e-5, atol=1e-6)


def test_a_shape_that_is_not_captured_is_padded_and_run_and_captured_when_it_has_come_often(monkeypatch):
    passes, card = Passes(), TapeCard()
    replay = Replay(passes, "cpu", card=card)
    threads = []
    warm_up = replay.warm_up
    monkeypatch.setattr(replay, "warm_up", lambda shapes: threads.append(warm_up(shapes)))
    for _ in range(OFTEN):
        (mean, _) = replay(bytes_of(5))
    assert passes.rows[:OFTEN] == [8] * OFTEN
    (thread,) = threads
    thread.join()
    assert card.captures == 1
    np.testing.assert_allclose(replay(bytes_of(5))[0], mean, rtol=1e-5, atol=1e-6)
    assert card.replays == 1


def test_a_shape_is_captured_once_and_no_more_than_a_card_can_keep():
    card = TapeCard()
    replay = warmed(Passes(), card, 3, 4)
    replay.warm_up([(4, *TAIL)]).join()
    assert card.captures == 1
    replay.warm_up([(1, 8, width, 3) for width in range(3, 3 + MOST)]).join()
    assert card.captures == MOST


def test_what_cannot_be_captured_runs_kernel_by_kernel_and_it_is_said_once(capfd):
    passes = Passes()
    replay = warmed(passes, TapeCard(fails=RuntimeError("operation not permitted when stream is capturing")), 1, 2)
    mean, _ = replay(bytes_of(2))
    np.testing.assert_allclose(mean, passes.alone(bytes_of(2))[0], rtol=1e-5, atol=1e-6)
    assert capfd.readouterr().err.count("without graphs") == 1


def test_a_capture_that_was_spoilt_once_is_repeated(capfd):
    passes, card = Passes(), TapeCard(fails=RuntimeError("operation failed due to a previous error"), times=1)
    replay = warmed(passes, card, 2)
    mean, _ = replay(bytes_of(2))
    np.testing.assert_allclose(mean, passes.alone(bytes_of(2))[0], rtol=1e-5, atol=1e-6)
    assert (card.captures, card.replays) == (1, 1)
    assert "without graphs" not in capfd.readouterr().err


def test_other_ways_are_made_on_the_stream_and_what_came_often_before_the_choice_is_captured_again(monkeypatch):
    passes, slower, card = Passes(), Passes(), TapeCard()
    replay = Replay(slower, "cpu", card=card)
    threads, warm_up = [], replay.warm_up
    monkeypatch.setattr(replay, "warm_up", lambda *given: threads.append(warm_up(*given)))

    def often():
        for _ in range(OFTEN):
            replay(bytes_of(5))
        threads.pop().join()

    def ways():
        assert card.streaming  # which is the one that reads their weights next
        often()
        return Ways("a network", "slow", {"fast": passes}, bytes_of(1), lambda first, other: True)

    monkeypatch.setattr("support.device.replay.fastest", lambda *given, clock: ("fast", "it is"))
    warm_up([(1, *TAIL)], ways).join()
    assert (replay.way, card.captures) == ("fast", 4)  # 8 rows before, 1 row in both ways, 1 row from now on
    often()
    assert card.captures == 5
    slower.rows.clear()
    np.testing.assert_allclose(replay(bytes_of(5))[0], passes.alone(bytes_of(5))[0], rtol=1e-5, atol=1e-6)
    assert slower.rows == []


def test_on_a_cpu_nothing_is_padded_and_no_rows_are_none():
    passes = Passes()
    replay = Replay(passes, "cpu")
    assert replay.warm_up([(1, *TAIL)]) is None
    assert [replay(bytes_of(n))[0].shape for n in (0, 3, 40, 0)] == [(0, 4), (3, 4), (40, 4), (0, 4)]
    assert passes.rows == [0, 3, 40]  # the shape of nothing is known by then


def test_a_process_warms_up_until_its_threads_have_ended(monkeypatch):
    replay, going_on = Replay(Passes(), "cpu", card=TapeCard()), threading.Event()
    monkeypatch.setattr(replay, "_warm_up", lambda *given: going_on.wait())
    thread = replay.warm_up([(1, *TAIL)])
    assert is_warming_up()
    going_on.set()
    thread.join()
    assert not is_warming_up()


def test_a_device_without_graphs_runs_each_padded_shape_once_to_warm_up(monkeypatch):
    passes = Passes()
    replay = Replay(passes, "cpu")
    monkeypatch.setattr(replay, "padded", True)  # as on mps
    replay.warm_up([(1, *TAIL), (5, *TAIL), (7, *TAIL)]).join()
    replay(bytes_of(6))
    assert passes.rows == [1, 8, 8]


def test_too_little_memory_is_one_sentence():
    def full(x):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    with pytest.raises(UserError, match=r"the memory of cpu is full: .*--device cpu\.") as raised:
        Replay(full, "cpu")(bytes_of(1))
    assert raised.value.exit_code == 1
