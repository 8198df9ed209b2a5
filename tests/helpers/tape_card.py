"""A card on the CPU that captures and replays as CUDA's graphs do: a tape of kernels, on the memory of the capture.

A replay runs no line of Python of the network; what the function reads elsewhere than from memory is as it was.
`DeviceOnly` finds what a capture on cuda would refuse, on the device "meta", whose tensors have no numbers.
"""

from __future__ import annotations

import contextlib
import math
import threading
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from support.device import replay, ways
from support.device.replay import THREAD


class Tape(TorchDispatchMode):
    """Records every kernel with the tensors that it read and made; `play` runs them again, into these tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[tuple[Any, tuple, dict, Any]] = []

    def __torch_dispatch__(self, kernel, types, args=(), kwargs=None):
        made = kernel(*args, **(kwargs or {}))
        self.kernels.append((kernel, args, kwargs or {}, made))
        return made

    def play(self) -> None:
        with torch.inference_mode():
            for kernel, args, kwargs, made in self.kernels:
                if "_local_scalar_dense" in str(kernel):
                    raise AssertionError("the host waited for a number during a capture")
                again = kernel(*args, **kwargs)
                for old, new in zip(tensors(made), tensors(again), strict=True):
                    if old.data_ptr() != new.data_ptr():  # a view of, or written into, what is there needs no copy
                        old.detach().copy_(new)


def tensors(values: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    tree_map_only(torch.Tensor, found.append, values)
    return found


class TapeCard:
    """Counts what happens: `captures`, `replays`, `waits`. fails: an error that a capture raises; the first `times`.

    streaming: does this thread launch on the card's stream?
    """

    def __init__(self, *, fails: Exception | None = None, times: float = math.inf) -> None:
        self.captures = self.replays = self.waits = 0
        self._fails, self._times = fails, times
        self._streaming = threading.local()

    @property
    def streaming(self) -> bool:
        return getattr(self._streaming, "now", False)

    def pinned(self, shape, dtype):
        return torch.zeros(tuple(shape), dtype=dtype)

    @contextlib.contextmanager
    def on_stream(self):
        before, self._streaming.now = self.streaming, True
        yield
        self._streaming.now = before

    def capture(self, launch):
        assert self.streaming
        if self._fails and self._times:
            self._times -= 1
            raise self._fails
        tape = Tape()
        with tape:
            packed = launch()
        self.captures += 1

        def replay():
            self.replays += 1
            tape.play()

        return packed, replay

    def wait(self) -> None:
        self.waits += 1


class TimedCard(TapeCard):
    """Its replays take so many seconds by `clock`, in the order of the captures; further ones nothing."""

    def __init__(self, *took_s: float) -> None:
        super().__init__()
        self.now_s, self._took_s = 0.0, list(took_s)

    def clock(self) -> float:
        return self.now_s

    def capture(self, launch):
        packed, replay = super().capture(launch)
        took_s = self._took_s.pop(0) if self._took_s else 0.0

        def timed():
            self.now_s += took_s
            replay()

        return packed, timed


class DeviceOnly(TorchDispatchMode):
    """Raises AssertionError where a kernel reads or makes a tensor on the host, or the host waits for a number.

    host: kernels of the host alone may run beside those of the device, as in a training.
    It does not see numbers of Python that `torch.tensor` or `new_tensor` copy to a device: `refuse_constants` does.
    """

    def __init__(self, *, host: bool = False) -> None:
        super().__init__()
        self._host = host

    def __torch_dispatch__(self, kernel, types, args=(), kwargs=None):
        made = kernel(*args, **(kwargs or {}))
        devices = {one.device.type for one in tensors((args, kwargs, made))}
        if not (self._host and devices <= {"cpu"}):
            assert "_local_scalar_dense" not in str(kernel), "the host waits for a number"
            assert devices <= {"meta"}, f"{kernel} touches memory of the host"
        return made


def refuse_constants(monkeypatch) -> None:
    """From now on nothing may be copied from numbers of Python, or from arrays."""

    def refused(*args, **kwargs):
        raise AssertionError("numbers are copied from the host")

    for place, name in ((torch, "tensor"), (torch, "as_tensor"), (torch, "from_numpy"), (torch.Tensor, "new_tensor")):
        monkeypatch.setattr(place, name, refused)


def few_passes(monkeypatch) -> None:
    """A tape has no kernels to choose, and its clock does not vary: to warm up and to time, one pass is enough."""
    monkeypatch.setattr(replay, "WARM_UP", 1)
    monkeypatch.setattr(ways, "ROUNDS", 1)


def join_warm_up() -> None:
    """Wait for every thread of `support.device.replay`."""
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join()
