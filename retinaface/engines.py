"""What runs the detector's network: torch on any device, or ONNX Runtime on the CPU, without torch.

In:  frames (N, H, W, 3) uint8 RGB of one size.
Out: scores (N, A), box offsets (N, A, 4) and landmark offsets (N, A, 10) of all anchors, float32 arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from support.device.replay import Replay
from support.onnx.session import OnnxSession

if TYPE_CHECKING:  # torch is imported where it is used
    from torch import Tensor

    from retinaface.network import RetinaFaceNetwork
    from support.device.card import Card


class TorchEngine:
    """A network in eval mode and without gradients, on the device that it is on.

    card: as for `support.device.replay.Replay`, which it runs through.
    """

    def __init__(self, network: RetinaFaceNetwork, *, card: Card | None = None) -> None:
        self.network = network.eval().requires_grad_(False)
        self._replay = Replay(self._outputs, next(network.parameters()).device, card=card)

    def __call__(self, frames: np.ndarray) -> list[np.ndarray]:
        """Scores, box offsets and landmark offsets of every anchor of every frame."""
        return self._replay(frames)

    def warm_up(self, sizes_hw: Iterable[tuple[int, int]]) -> None:
        """On a device, have single frames of these sizes be quick; a thread sees to it."""
        self._replay.warm_up((1, *size_hw, 3) for size_hw in sizes_hw)

    def _outputs(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What a call gives, of a tensor on the device; kernels only, nothing for the host."""
        import torch

        from retinaface.network import to_input

        with torch.inference_mode():
            logits, boxes, landmarks = self.network(to_input(frames))
            return logits.softmax(dim=-1)[..., 1], boxes, landmarks

    def close(self) -> None:
        """It has no threads that stay."""


class OnnxEngine:
    """A session of the .onnx file.

    One frame is shared among the session's threads. Of several each thread takes its own, which is a quarter faster,
    and needs the memory of a frame a thread instead of all at once.
    """

    def __init__(self, session: OnnxSession) -> None:
        self._together = session
        self._apart: tuple[ThreadPoolExecutor, OnnxSession] | None = None

    def __call__(self, frames: np.ndarray) -> list[np.ndarray]:
        """Scores, box offsets and landmark offsets of every anchor of every frame."""
        if len(frames) == 1:
            return self._together(frames)
        if self._apart is None:  # made when there are several frames at once
            pool = ThreadPoolExecutor(self._together.threads)
            self._apart = pool, self._together.with_threads(1)
        pool, session = self._apart
        return [np.concatenate(values) for values in zip(*pool.map(session, frames[:, None]), strict=True)]

    def warm_up(self, sizes_hw: Iterable[tuple[int, int]]) -> None:
        """There is nothing to capture."""

    def close(self) -> None:
        """End the threads; more than once is fine."""
        if self._apart is not None:
            self._apart[0].shutdown()
            self._apart = None


Engine = TorchEngine | OnnxEngine
