"""What runs the detector's network: torch on any device, or ONNX Runtime on the CPU, without torch.

In:  frames (N, H, W, 3) uint8 RGB of one size.
Out: scores (N, A), box offsets (N, A, 4) and landmark offsets (N, A, 10) of all anchors, float32 arrays.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from support.onnx.session import OnnxSession

if TYPE_CHECKING:  # torch is imported where it is used
    from retinaface.network import RetinaFaceNetwork


class TorchEngine:
    """A network in eval mode and without gradients, on the device that it is on."""

    def __init__(self, network: RetinaFaceNetwork) -> None:
        self.network = network.eval().requires_grad_(False)

    def __call__(self, frames: np.ndarray) -> list[np.ndarray]:
        """Scores, box offsets and landmark offsets of every anchor of every frame."""
        import torch

        from retinaface.network import to_input

        with torch.inference_mode():
            device = next(self.network.parameters()).device
            logits, boxes, landmarks = self.network(to_input(torch.from_numpy(frames).to(device)))
            return [values.cpu().numpy() for values in (logits.softmax(dim=-1)[..., 1], boxes, landmarks)]

    def close(self) -> None:
        """It has no threads of its own."""


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

    def close(self) -> None:
        """End the threads; more than once is fine."""
        if self._apart is not None:
            self._apart[0].shutdown()
            self._apart = None


Engine = TorchEngine | OnnxEngine
