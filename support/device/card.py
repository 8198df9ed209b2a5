"""What a CUDA device does for `support.device.replay`: a stream, pinned memory, graphs; what threads do not share.

In:  a device; functions that launch kernels; errors.
Out: functions that launch the same kernels again, all at once; a number format, a lock; a sentence where a device's
     memory is full.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from support.cli import FAILED, UserError

if TYPE_CHECKING:  # torch is imported where it is used
    import torch
    from torch import Tensor

_CAPTURING = threading.Lock()  # CUDA: one capture at a time in a process
_MPS = threading.RLock()


class CudaCard:
    """A CUDA device, with a stream and a memory pool of its own for one function's graphs, which take turns there."""

    def __init__(self, device: torch.device) -> None:
        import torch

        self._stream = torch.cuda.Stream(device)
        self._latest: torch.cuda.CUDAGraph | None = None  # torch refuses a pool that no graph holds any more
        # for the weights; to wait for the whole device is an error while another thread captures
        self._stream.wait_stream(torch.cuda.current_stream(device))

    def pinned(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """A tensor of zeros on the host whose memory the card reaches by itself."""
        import torch

        return torch.zeros(tuple(shape), dtype=dtype, pin_memory=True)

    def on_stream(self) -> contextlib.AbstractContextManager[Any]:
        """Inside it kernels go to this card's stream."""
        import torch

        return torch.cuda.stream(self._stream)

    def capture(self, launch: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """What `launch` gives, and what launches the same kernels again, on the same memory.

        To be called on the stream. Other threads may go on with the device meanwhile.
        """
        import torch

        graph = torch.cuda.CUDAGraph()
        # not `torch.cuda.graph`, which collects garbage and empties the cache first: frames are being shown
        with _CAPTURING:
            # held until the next capture has ended; none after one that failed, whose pool may be unusable
            latest, self._latest = self._latest, None
            pool = latest.pool() if latest else torch.cuda.graph_pool_handle()
            graph.capture_begin(pool=pool, capture_error_mode="thread_local")
            try:
                packed = launch()
            except BaseException:
                with contextlib.suppress(RuntimeError):  # that of a spoilt capture would hide what spoilt it
                    graph.capture_end()
                raise
            graph.capture_end()
            self._latest = graph
        return packed, graph.replay

    def wait(self) -> None:
        """Until everything on the stream is done."""
        self._stream.synchronize()


def mixed_format(device: torch.device) -> torch.dtype | None:
    """bfloat16 on cuda from Ampere on, float16 on older cards and on mps; None on a CPU, where autocast is slower.

    bfloat16 has the range of float32, so its gradients need no scaling. In float16 small gradients become 0 unless the
    loss is scaled (Micikevicius et al. 2018, arXiv 1710.03740, section 3.2).
    """
    import torch

    if device.type == "cpu":
        return None
    if device.type != "cuda":
        return torch.float16
    with torch.cuda.device(device):  # of which torch tells, though another one may be the first
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def lock_of(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """What a thread holds while it uses its network on `device`; the same thread may take it again.

    On mps all networks share one, for there two threads at a time crash the process (pytorch issue 197805).
    """
    return _MPS if device.type == "mps" else threading.RLock()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Is it torch's error for a full memory, or the one of mps, of pinned memory or of CUDA's libraries?"""
    import torch

    full = ("out of memory", "ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in full)


@contextlib.contextmanager
def enough_memory(device: object) -> Iterator[None]:
    """`UserError` where the device's memory becomes full inside."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"the memory of {device} is full: end other programs on it, have faces detected in smaller frames "
            "(--imgsz 640), or use --device cpu.",
            exit_code=FAILED,
        ) from error
