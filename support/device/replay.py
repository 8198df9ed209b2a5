"""Small networks on a device, with little to launch: few shapes, each captured once and replayed afterwards.

In:  a function of a uint8 tensor (N, ...) that gives tensors (N, ...); batches as arrays, N may be 0.
Out: what the function gives for a batch, as float32 arrays of N rows.

A small network is hundreds of kernels, and to launch them one by one takes longer than to run them. So on a device
batches are padded to `SIZES` rows, which leaves few shapes. On cuda each shape is captured as a graph: bytes go up from
pinned memory, one launch runs the network, and one packed tensor comes back to pinned memory. `warm_up` captures in a
thread, which first finds the fastest of several ways to compute the results, where there are any; a shape that is not
captured yet is launched kernel by kernel, and captured once it has come `OFTEN` times. On mps, which has no graphs,
shapes are the same. On a CPU batches are not padded.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from support.cli import UserError, notify
from support.device.card import CudaCard, enough_memory, lock_of
from support.device.ways import Ways, fastest

if TYPE_CHECKING:  # torch is imported where it is used
    import torch
    from torch import Tensor

SIZES = (1, 2, 4, 8, 16, 32)  # rows of a batch
OFTEN = 3  # batches of one shape after which it is worth capturing
MOST = 32  # shapes that are captured; each keeps memory of the card
THREAD = "warm-up"  # name of those that capture
WARM_UP = 3  # passes before a capture: libraries choose their kernels and take their memory in them

Function = Callable[["Tensor"], Sequence["Tensor"]]


@dataclass(frozen=True, eq=False)
class Captured:
    """A shape that can be replayed: `given` goes to `on_device`, `packed` comes back to `host`; both are pinned."""

    given: Tensor
    on_device: Tensor
    packed: Tensor
    host: Tensor
    shapes: list[tuple[int, ...]]
    replay: Callable[[], None]

    def __call__(self, card: CudaCard, rows: np.ndarray) -> list[np.ndarray]:
        """The results for `rows`. What an earlier batch left in the rows beyond is computed, and seen by nobody."""
        self.given.numpy()[: len(rows)] = rows
        with card.on_stream():
            self.on_device.copy_(self.given, non_blocking=True)
            self.replay()
            self.host.copy_(self.packed, non_blocking=True)
        card.wait()
        return unpack(self.host, self.shapes, len(rows))


class Replay:
    """`function` on `device`; may be called by several threads.

    card: what captures; left out, the device itself where it is cuda. clock: gives seconds.
    way: the name of the one that was found to be the fastest, where there were several.
    """

    way = ""

    def __init__(
        self,
        function: Function,
        device: torch.device | str,
        *,
        card: CudaCard | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        import torch

        self._function, self._device, self._clock = function, torch.device(device), clock
        self._card = CudaCard(self._device) if card is None and self._device.type == "cuda" else card
        self.padded = self._device.type != "cpu" or card is not None
        self._captured: dict[tuple[int, ...], Captured] = {}
        self._came: Counter[tuple[int, ...]] = Counter()
        self._tails: dict[tuple[int, ...], list[tuple[int, ...]]] = {}  # of a row given -> of the rows of the results
        self._lock = lock_of(self._device)  # the buffers are one thread's at a time

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """The results for the N rows of `batch`; `UserError` where the device's memory is full."""
        if not len(batch) and (tails := self._tails.get(batch.shape[1:])) is not None:
            return [np.empty((0, *tail), np.float32) for tail in tails]
        rows = SIZES[-1] if self.padded else max(1, len(batch))
        with enough_memory(self._device):
            parts = [self._run(batch[start : start + rows]) for start in range(0, max(1, len(batch)), rows)]
        return parts[0] if len(parts) == 1 else [np.concatenate(results) for results in zip(*parts, strict=True)]

    def warm_up(
        self, shapes: Iterable[tuple[int, ...]], ways: Callable[[], Ways[Function]] | None = None
    ) -> threading.Thread | None:
        """Prepare fast calls for batches of these shapes: a thread captures them, or runs one of each.

        None on a CPU, where there is nothing to do. Calls go on meanwhile.
        ways: makes what may run in the place of `function`. Where graphs are captured, the fastest is found first.
        """
        if not self.padded:
            return None
        padded = dict.fromkeys((padded_rows(shape[0]), *shape[1:]) for shape in shapes)
        thread = threading.Thread(target=self._warm_up, args=[list(padded), ways], name=THREAD)
        thread.start()
        return thread

    def _run(self, rows: np.ndarray) -> list[np.ndarray]:
        """The results for up to `SIZES[-1]` rows."""
        import torch

        shape = (padded_rows(len(rows)) if self.padded else len(rows), *rows.shape[1:])
        with self._lock:
            if self._card and (captured := self._captured.get(shape)):
                return captured(self._card, rows)
            given = torch.from_numpy(np.ascontiguousarray(rows))
            if len(rows) < shape[0]:
                given = torch.cat([given, given.new_zeros((shape[0] - len(rows), *shape[1:]))])
            packed, shapes = pack(self._function(given.to(self._device)))
            results = unpack(packed.cpu(), shapes, len(rows))
            self._tails[shape[1:]] = [tuple(tail) for _, *tail in shapes]
            self._came[shape] += 1
            often = self._came[shape] == OFTEN
        if self._card and often:
            self.warm_up([shape])
        return results

    def _warm_up(self, shapes: Sequence[tuple[int, ...]], ways: Callable[[], Ways[Function]] | None) -> None:
        if self._card and ways:
            # RuntimeError: the shapes below meet it, too, and it is reported there. UserError: there is no batch to try
            with contextlib.suppress(RuntimeError, UserError):
                with self._card.on_stream():  # the one that reads the copied weights: no other has to be waited for
                    made = ways()
                self._choose(self._card, made)
        for shape in shapes:
            try:
                if self._card is None:
                    self._run(np.zeros(shape, np.uint8))
                else:
                    self._capture(self._card, shape)
            except RuntimeError as error:  # too little memory, or a kernel that cannot be part of a graph
                with self._lock:
                    self._card = None
                notify(f"{self._device} runs without graphs, and so more slowly: {error!s:.200}")

    def _choose(self, card: CudaCard, ways: Ways[Function]) -> None:
        """Run the fastest from now on, and say so."""
        shape = (padded_rows(len(ways.batch)), *ways.batch.shape[1:])
        functions = {ways.first: self._function, **ways.others}
        captured = {ways.first: self._record(card, shape, self._function)}
        for name, function in ways.others.items():
            with contextlib.suppress(RuntimeError):  # what the card lacks memory or kernels for
                captured[name] = self._record(card, shape, function)

        def run(one: Captured, batch: np.ndarray) -> list[np.ndarray]:
            with self._lock:
                return one(card, batch)

        runs = {name: functools.partial(run, one) for name, one in captured.items()}
        self.way, sentence = fastest(ways, runs, clock=self._clock)
        with self._lock:
            self._function = functions[self.way]
            self._captured.clear()  # what came often meanwhile: it is captured when it has come often again
            self._came.clear()
        notify(sentence)

    def _capture(self, card: CudaCard, shape: tuple[int, ...]) -> None:
        """Have `shape` be replayed from now on."""
        with self._lock:
            if shape not in self._captured and len(self._captured) < MOST:
                self._captured[shape] = self._record(card, shape, self._function)

    def _record(self, card: CudaCard, shape: tuple[int, ...], function: Function) -> Captured:
        """`function` of a batch of `shape`, captured."""
        import torch

        with self._lock, card.on_stream():
            given = card.pinned(shape, torch.uint8)
            on_device = given.to(self._device, copy=True)
            for _ in range(WARM_UP):
                packed, shapes = pack(function(on_device))
            host = card.pinned(packed.shape, packed.dtype)
            card.wait()
            try:
                packed, replay = card.capture(lambda: pack(function(on_device))[0])
            except RuntimeError:  # what another thread asks of the whole device meanwhile may spoil a capture
                packed, replay = card.capture(lambda: pack(function(on_device))[0])
            self._tails[shape[1:]] = [tuple(tail) for _, *tail in shapes]
            return Captured(given, on_device, packed, host, shapes, replay)


def is_warming_up() -> bool:
    """Does a thread of this process still warm up a network?"""
    return any(thread.name == THREAD for thread in threading.enumerate())


def padded_rows(rows: int) -> int:
    """The first of `SIZES` that is not below `rows`, which is 32 at most."""
    return next(size for size in SIZES if size >= rows)


def pack(results: Sequence[Tensor]) -> tuple[Tensor, list[tuple[int, ...]]]:
    """(N, F) float32: results (N, ...) side by side; and their shapes."""
    import torch

    return torch.cat([one.float().flatten(1) for one in results], dim=1), [tuple(one.shape) for one in results]


def unpack(packed: Tensor, shapes: Sequence[tuple[int, ...]], rows: int) -> list[np.ndarray]:
    """The first `rows` of what `pack` gave, on the host, as float32 arrays that share no memory with it."""
    ends = np.cumsum([math.prod(tail) for _, *tail in shapes])
    columns = np.split(packed[:rows].numpy(), ends[:-1], axis=1)
    return [part.reshape(rows, *shape[1:]).copy() for part, shape in zip(columns, shapes, strict=True)]
