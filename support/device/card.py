"""What a CUDA device does for `support.device.replay`: a stream, pinned memory, graphs; and what a full one says.

In:  a device; functions that launch kernels.
Out: functions that launch the same kernels again, all at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from support.cli import FAILED, UserError

if TYPE_CHECKING:  # torch is imported where it is used
    import torch
    from torch import Tensor


class Card(Protocol):
    """What captures: `CudaCard`, or a stand-in on the CPU."""

    def pinned(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """A tensor of zeros on the host whose memory the card reaches by itself."""

    def on_stream(self) -> contextlib.AbstractContextManager[Any]:
        """Inside it kernels go to this card's stream."""

    def capture(self, launch: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """What `launch` gives, and what launches the same kernels again, on the same memory."""

    def wait(self) -> None:
        """Until everything on the stream is done."""


class CudaCard:
    """A CUDA device, with a stream and a memory pool of its own for one function's graphs."""

    def __init__(self, device: torch.device) -> None:
        import torch

        torch.cuda.synchronize(device)  # the weights are there
        self._stream, self._pool = torch.cuda.Stream(device), torch.cuda.graph_pool_handle()

    def pinned(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """As `Card`."""
        import torch

        return torch.zeros(tuple(shape), dtype=dtype, pin_memory=True)

    def on_stream(self) -> contextlib.AbstractContextManager[Any]:
        """As `Card`."""
        import torch

        return torch.cuda.stream(self._stream)

    def capture(self, launch: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """As `Card`; to be called on the stream. Other threads may go on with the device meanwhile."""
        import torch

        graph = torch.cuda.CUDAGraph()
        # not `torch.cuda.graph`, which collects garbage and empties the cache first: frames are being shown
        graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
        try:
            packed = launch()
        finally:
            graph.capture_end()
        return packed, graph.replay

    def wait(self) -> None:
        """As `Card`."""
        self._stream.synchronize()


@contextlib.contextmanager
def enough_memory(device: object) -> Iterator[None]:
    """`UserError` where the device's memory becomes full inside."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"the memory of {device} is full: end other programs on it, have faces detected in smaller frames "
            "(--imgsz 640), or use --device cpu.",
            exit_code=FAILED,
        ) from error
