"""What runs the detector's network: torch on any device, or ONNX Runtime on the CPU, without torch.

In:  frames (N, H, W, 3) uint8 RGB of one size.
Out: scores (N, A), boxes (N, A, 4) xyxy and landmarks (N, A, 5, 2) of A anchors, float32 arrays, in pixels: of all in
     ONNX Runtime, of the surest in torch.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from retinaface.defaults import CANDIDATES
from support.device.replay import Function, Replay
from support.onnx.session import OnnxSession

if TYPE_CHECKING:  # torch is imported where it is used
    from torch import Tensor

    from retinaface.checkpoint import Network
    from support.device.card import CudaCard
    from support.device.precision import Precision
    from support.device.ways import Ways

Agree = Callable[[list[np.ndarray], list[np.ndarray]], bool]


class TorchEngine:
    """A network in eval mode and without gradients, on the device that it is on.

    card, clock: as for `support.device.replay.Replay`, which it runs through.
    """

    def __init__(
        self, network: Network, *, card: CudaCard | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self._replay = Replay(self._outputs, next(network.parameters()).device, card=card, clock=clock)

    def __call__(self, frames: np.ndarray) -> list[np.ndarray]:
        """Scores, boxes and landmarks of the `CANDIDATES` surest anchors of every frame."""
        return self._replay(frames)

    @property
    def computing(self) -> str:
        """The number format and memory layout that `warm_up` found to be the fastest on a card; "" until then."""
        return self._replay.way

    def warm_up(
        self, sizes_hw: Iterable[tuple[int, int]], *, amp: bool, trial: Callable[[], np.ndarray] | None, agree: Agree
    ) -> None:
        """On a device, prepare fast passes of single frames of these sizes, in a thread.

        amp, trial: as for `retinaface.face.Detector`. agree: whether two results of a call hold the same faces; the
        first is in float32.
        """
        ways = functools.partial(self._ways, amp, trial, agree) if trial else None
        self._replay.warm_up([(1, *size_hw, 3) for size_hw in sizes_hw], ways)

    def _ways(self, amp: bool, trial: Callable[[], np.ndarray], agree: Agree) -> Ways[Function]:
        """How else a frame can be computed."""
        from retinaface.precision import alternatives
        from support.device.precision import Precision
        from support.device.ways import Ways

        others = alternatives(self.network, amp=amp)
        functions: dict[str, Function] = {str(one): functools.partial(self._outputs, how=one) for one in others}
        what = f"the detector on {next(self.network.parameters()).device}"
        return Ways(what, str(Precision(self.network)), functions, trial()[None], agree)

    def _outputs(self, frames: Tensor, how: Precision | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """What a call gives, of a tensor on the device; kernels only, nothing for the host.

        What could not become a face stays there: all anchors of a frame of 640x480 are 0.8 MB.
        """
        import torch

        with torch.inference_mode():
            x = self.network.to_input(frames)  # channels come last in memory
            if how is None:
                logits, boxes, landmarks = self.network(x)
            else:
                logits, boxes, landmarks = how.network(x.contiguous(memory_format=how.memory_format))
            scores = logits.sigmoid()
            if scores.shape[1] <= CANDIDATES:
                return scores, boxes, landmarks
            scores, rows = scores.topk(CANDIDATES)
            frame = torch.arange(len(rows), device=rows.device)[:, None]
            return scores, boxes[frame, rows], landmarks[frame, rows]

    def close(self) -> None:
        """It has no threads that stay."""


class OnnxEngine:
    """A session of the .onnx file.

    One frame is shared among the session's threads. Of several each thread takes its own, which is a quarter faster,
    and needs the memory of a frame a thread instead of all at once.
    """

    computing = ""  # in float32, with nothing to choose

    def __init__(self, session: OnnxSession) -> None:
        self._together = session
        self._apart: tuple[ThreadPoolExecutor, OnnxSession] | None = None

    def __call__(self, frames: np.ndarray) -> list[np.ndarray]:
        """Scores, boxes and landmarks of every anchor of every frame."""
        if len(frames) == 1:
            return self._together(frames)
        if self._apart is None:  # made when there are several frames at once
            pool = ThreadPoolExecutor(self._together.threads)
            self._apart = pool, OnnxSession(self._together.model, threads=1)
        pool, session = self._apart
        return [np.concatenate(values) for values in zip(*pool.map(session, frames[:, None]), strict=True)]

    def warm_up(
        self, sizes_hw: Iterable[tuple[int, int]], *, amp: bool, trial: Callable[[], np.ndarray] | None, agree: Agree
    ) -> None:
        """There is nothing to capture."""

    def close(self) -> None:
        """End the threads; more than once is fine."""
        if self._apart is not None:
            self._apart[0].shutdown()
            self._apart = None


Engine = TorchEngine | OnnxEngine
