"""Processes that draw the changes of pictures ahead of a training whose device applies them.

In:  the `Keys` of a batch.
Out: `Changes`, the same as in the process that asks.

Drawing takes some 30 microseconds of Python a face, during which a thread would hold up the one that trains. A process
ends with the one that started it, when its stdin does; no signal of a terminal reaches it, so that the main process can
go on until it has saved.
"""

from __future__ import annotations

import pickle
import queue
import subprocess
import sys
import weakref
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data.augment import Augment, Change, Keys
from support import FAILED, UserError
from support.process import ROOT, ignore_stop_signals

START = "import sys; sys.path.insert(0, sys.argv[1]); from data.device.drawing import answer; answer()"


class Changes(NamedTuple):
    """The changes of B pictures, as arrays that cost little to send from one process to another and to a device.

    numbers: (B, 11) float32, the first numbers of a `Change` in its order, up to `noise`.
    integers: (B, 8) int64: `erased`; where its grey levels begin in `levels`, and the steps to the next row and column
        there, 0 each for a rectangle of one level; noise_seed.
    levels: (P,) uint8, grey levels of all rectangles, row by row.
    coarse: (M,) int64, which pictures lose resolution, and small: (M, 1, 1) float32, the pixels a side that are left.
    """

    numbers: np.ndarray
    integers: np.ndarray
    levels: np.ndarray
    coarse: np.ndarray
    small: np.ndarray


def pack(changes: Sequence[Change], *, size: int) -> Changes:
    """`Changes`, for an output of `size` pixels a side."""
    levels = [change.fill.astype(np.uint8).ravel() for change in changes]
    begins = np.cumsum([0, *map(len, levels)])[:-1]
    steps = [(change.fill.shape[1], 1) if change.fill.size > 1 else (0, 0) for change in changes]
    resolution = np.array([change.resolution for change in changes])
    coarse = np.flatnonzero(resolution < 1)
    return Changes(
        np.array([(*c[:4], *c.shift_xy, c.gamma, c.resolution, *c.light_xy, c.noise) for c in changes], np.float32),
        np.array(
            [(*c.erased, at, *step, c.noise_seed) for c, at, step in zip(changes, begins, steps, strict=True)], np.int64
        ),
        np.concatenate(levels),
        coarse,
        np.maximum(1, np.round(size * resolution[coarse])).astype(np.float32)[:, None, None],
    )


class Drawers:
    """`count` processes that draw, until nobody refers to this object. Any number of threads may ask."""

    def __init__(self, augment: Augment, count: int) -> None:
        command = [sys.executable, "-c", START, str(ROOT)]
        self.processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
            for _ in range(count)
        ]
        self.augment = augment
        self.idle: queue.SimpleQueue[subprocess.Popen] = queue.SimpleQueue()
        for process in self.processes:
            self.idle.put(process)
        weakref.finalize(self, end, self.processes)

    def draw(self, keys: Keys, *, size: int) -> Changes:
        """The changes of a batch whose pictures are to have `size` pixels a side; waits for a process that is idle."""
        process = self.idle.get()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            pickle.dump((self.augment, keys, size), process.stdin)
            process.stdin.flush()
            return pickle.load(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise UserError(
                "a process that draws the changes of pictures has ended; was the memory full? --resume continues.",
                exit_code=FAILED,
            ) from error
        finally:
            self.idle.put(process)


def end(processes: Sequence[subprocess.Popen]) -> None:
    """Close what the processes read, and wait until they have ended."""
    for process in processes:
        process.communicate()


def answer() -> None:
    """The task of a process: for each (augment, keys, size) on stdin the `Changes` on stdout, until stdin ends."""
    ignore_stop_signals()
    while True:
        try:
            augment, keys, size = pickle.load(sys.stdin.buffer)
            pickle.dump(pack(keys.changes(augment, size=size), size=size), sys.stdout.buffer)
            sys.stdout.flush()
        except (EOFError, OSError):  # the process that asked has ended
            return
