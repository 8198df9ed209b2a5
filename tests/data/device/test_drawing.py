"""Processes draw what this process would, in batches of arrays; they end with whoever refers to them."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from data.augment import Augment, Keys
from data.device.drawing import Drawers, pack
from support import UserError

KEYS = Keys(3, 1, np.array([5, 9, 5]), np.array([0, 0, 1]))
ALL = Augment(blur=0.5, light=0.3, noise=5.0)


def test_a_batch_of_changes_holds_the_numbers_of_each():
    changes = KEYS.changes(ALL, size=24)
    packed = pack(changes, size=24)
    for row, change in enumerate(changes):
        np.testing.assert_allclose(packed.numbers[row, :4], change[:4], rtol=1e-6)
        np.testing.assert_allclose(packed.numbers[row, 4:6], change.shift_xy, rtol=1e-6)
        assert tuple(packed.integers[row, :4]) == change.erased
        assert packed.integers[row, 7] == change.noise_seed
    assert packed.coarse.tolist() == [row for row, change in enumerate(changes) if change.resolution < 1]
    assert len(packed.levels) == sum(change.fill.size for change in changes)


def test_a_process_draws_the_same_and_ends_when_nobody_refers_to_it():
    drawers = Drawers(ALL, 2)
    (first, second) = drawers.processes
    for _ in range(3):  # both come to their turn
        found, wanted = drawers.draw(KEYS, size=24), pack(KEYS.changes(ALL, size=24), size=24)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)
    del drawers
    assert (first.poll(), second.poll()) == (0, 0)


@pytest.mark.skipif(not hasattr(os, "getpgid"), reason="groups of processes are those of POSIX")
def test_signals_of_a_terminal_do_not_reach_it_and_a_process_that_ended_is_told():
    drawers = Drawers(ALL, 1)
    (process,) = drawers.processes
    drawers.draw(KEYS, size=24)
    assert os.getpgid(process.pid) != os.getpgid(0)
    process.send_signal(signal.SIGTERM)
    drawers.draw(KEYS, size=24)
    process.kill()
    process.wait()
    with pytest.raises(UserError, match="a process that draws the changes of pictures has ended") as error:
        drawers.draw(KEYS, size=24)
    assert error.value.exit_code == 1
