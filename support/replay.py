"""Small networks on a device, with little to launch: few shapes, each captured once and replayed afterwards.

In:  a function of a uint8 tensor (N, ...) that gives tensors (N, ...); batches as arrays, N may be 0.
Out: what the function gives for a batch, as float32 arrays of N rows.

A small network is hundreds of kernels, and to launch them one by one takes longer than to run them. So on a device
batches are padded to `SIZES` rows, which leaves few shapes. On cuda each shape is captured as a graph: bytes go up from
pinned memory, the network runs, and one packed tensor comes back to pinned memory, all by one launch. `warm_up` captures
in a thread; a shape that is not captured yet is launched kernel by kernel, and captured when it has come `OFTEN` times.
On mps, which has no graphs, shapes are the same. On a CPU batches are not padded.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from support.cli import UserError

if TYPE_CHECKING:  # torch is imported where it is used
    import torch
    from torch import Tensor

SIZES = (1, 2, 4, 8, 16, 32)  # rows of a batch
OFTEN = 3  # batches of one shape after which it is worth capturing
MOST = 32  # shapes that are captured; each keeps memory of the card
WARM_UP = 3  # passes before a capture: libraries choose their kernels and take their memory in them

Function = Callable[["Tensor"], Sequence["Tensor"]]


class Card(Protocol):
    """What can capture: `CudaCard`, or a stand-in on the CPU."""

    def pinned(self, like: Tensor) -> Tensor:
        """An empty tensor of that shape and type on the host that the card can reach by itself."""

    def on_stream(self) -> contextlib.AbstractContextManager[Any]:
        """Inside it kernels go to the stream of this card object."""

    def capture(self, launch: Callable[[], None]) -> Callable[[], None]:
        """Record what `launch` launches; what is returned launches it again, on the same memory."""

    def wait(self) -> None:
        """Until everything on the stream is done."""


class CudaCard:
    """A CUDA device, with a stream and a memory pool of its own for one function's graphs."""

    def __init__(self, device: torch.device) -> None:
        import torch

        torch.cuda.synchronize(device)  # the weights are there
        self._device, self._stream, self._pool = device, torch.cuda.Stream(device), torch.cuda.graph_pool_handle()

    def pinned(self, like: Tensor) -> Tensor:
        """As `Card`."""
        import torch

        return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)

    def on_stream(self) -> contextlib.AbstractContextManager[Any]:
        """As `Card`."""
        import torch

        return torch.cuda.stream(self._stream)

    def capture(self, launch: Callable[[], None]) -> Callable[[], None]:
        """As `Card`. Other threads may go on with the card meanwhile."""
        import torch

        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            launch()
        return graph.replay

    def wait(self) -> None:
        """As `Card`."""
        self._stream.synchronize()


@dataclass(frozen=True, eq=False)
class Captured:
    """A shape that can be replayed: fill `given`, replay, wait, and `packed` holds the results side by side."""

    given: Tensor
    packed: Tensor
    shapes: list[tuple[int, ...]]
    replay: Callable[[], None]


class Replay:
    """`function`, run on `device`; may be called from several threads.

    card: what captures; left out: the device where it is cuda, else nothing. A context manager is not needed, but
    `close` ends the thread that captures.
    """

    def __init__(self, function: Function, device: torch.device | str, *, card: Card | None = None) -> None:
        import torch

        self._function, self._device = function, torch.device(device)
        self.card = CudaCard(self._device) if card is None and self._device.type == "cuda" else card
        self.padded = self._device.type != "cpu" or card is not None
        self._captured: dict[tuple[int, ...], Captured] = {}
        self._seen: Counter[tuple[int, ...]] = Counter()
        self._tails: dict[tuple[int, ...], list[tuple[int, ...]]] = {}  # of a row given -> of the rows that come back
        self._device_lock = threading.Lock()  # buffers and stream are one thread's at a time
        self._thread: ThreadPoolExecutor | None = None

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """The results for the N rows of `batch`; `UserError` where the device has too little memory."""
        if len(batch) == 0 and (tails := self._tails.get(batch.shape[1:])) is not None:
            return [np.empty((0, *tail), np.float32) for tail in tails]
        most = SIZES[-1] if self.padded else max(1, len(batch))
        starts = range(0, max(1, len(batch)), most)
        with enough_memory(self._device):
            parts = [self._run(batch[start : start + most]) for start in starts]
        return parts[0] if len(parts) == 1 else [np.concatenate(results) for results in zip(*parts, strict=True)]

    def warm_up(self, shapes: Sequence[tuple[int, ...]]) -> Future[None] | None:
        """Have batches of these shapes be quick, in a thread: captured, or, without graphs, run once.

        None where nothing needs it. Calls go on meanwhile. What fails is raised by the future, and by a call later on.
        """
        if not self.padded:
            return None
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="warm-up")
        return self._thread.submit(self._warm_up, [(padded_rows(rows), *tail) for rows, *tail in shapes])

    def close(self) -> None:
        """End the thread that captures, after the shape that it is at; more than once is fine."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
            self._thread = None

    def _run(self, rows: np.ndarray) -> list[np.ndarray]:
        """The results for up to `SIZES[-1]` rows."""
        import torch

        shape = (padded_rows(len(rows)) if self.padded else len(rows), *rows.shape[1:])
        with self._device_lock:
            if (captured := self._captured.get(shape)) is not None:
                return self._replay(captured, rows)
            given = torch.from_numpy(np.ascontiguousarray(rows))
            if len(rows) < shape[0]:
                given = torch.cat([given, given.new_zeros((shape[0] - len(rows), *shape[1:]))])
            packed, shapes = pack(self._function(given.to(self._device)))
            results = unpack(packed.cpu(), shapes, len(rows))
        self._tails[shape[1:]] = [tail for _, *tail in shapes]
        self._seen[shape] += 1
        if self.card and self._seen[shape] == OFTEN:
            self.warm_up([shape])
        return results

    def _replay(self, captured: Captured, rows: np.ndarray) -> list[np.ndarray]:
        assert self.card is not None
        captured.given.numpy()[: len(rows)] = rows  # rows beyond keep what an earlier batch left: nobody sees theirs
        with self.card.on_stream():
            captured.replay()
        self.card.wait()
        return unpack(captured.packed, captured.shapes, len(rows))

    def _warm_up(self, shapes: Sequence[tuple[int, ...]]) -> None:
        import torch

        with enough_memory(self._device):
            for shape in shapes:
                if self.card is None:
                    self._run(np.zeros(shape, np.uint8))
                elif shape not in self._captured and len(self._captured) < MOST:
                    with self._device_lock, self.card.on_stream():
                        given = self.card.pinned(torch.empty(shape, dtype=torch.uint8)).zero_()
                        self._captured[shape] = self._capture(self.card, given)

    def _capture(self, card: Card, given: Tensor) -> Captured:
        """The function on batches of the shape of `given`, which lies in pinned memory."""
        on_device = given.to(self._device)
        for _ in range(WARM_UP):
            packed, shapes = pack(self._function(on_device))
        host = card.pinned(packed)
        card.wait()

        def launch() -> None:
            on_device.copy_(given, non_blocking=True)
            host.copy_(pack(self._function(on_device))[0], non_blocking=True)

        self._tails[tuple(given.shape[1:])] = [tail for _, *tail in shapes]
        return Captured(given, host, shapes, card.capture(launch))


def padded_rows(rows: int) -> int:
    """The first of `SIZES` that is not below `rows`, which is 32 at most."""
    return next(size for size in SIZES if size >= rows)


def pack(results: Sequence[Tensor]) -> tuple[Tensor, list[tuple[int, ...]]]:
    """(N, F) float32: results (N, ...) side by side; and their shapes."""
    import torch

    return torch.cat([one.float().flatten(1) for one in results], dim=1), [tuple(one.shape) for one in results]


def unpack(packed: Tensor, shapes: Sequence[tuple[int, ...]], rows: int) -> list[np.ndarray]:
    """The first `rows` of what was packed (on the host), as float32 arrays of their own."""
    values, results, start = packed[:rows].numpy().copy(), [], 0
    for _, *tail in shapes:
        stop = start + int(np.prod(tail))
        results.append(values[:, start:stop].reshape(rows, *tail))
        start = stop
    return results


@contextlib.contextmanager
def enough_memory(device: object) -> Iterator[None]:
    """A `UserError` where the device's memory is full inside."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"the memory of {device} is full; end other programs on it, detect faces in smaller frames (--imgsz 640, "
            "--max-faces 20), or use --device cpu."
        ) from error
