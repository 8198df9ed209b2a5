"""What runs a classifier's network: torch on any device, or ONNX Runtime on the CPU, without torch.

In:  crops (N, S, S, 3) uint8 RGB.
Out: logits (N, K) float32, or a `gradcam.ForwardPass` that can be explained afterwards. N may be 0.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from gradcam import Cells, ForwardPass, PooledPass, Warp, hooked_forward
from models.preprocess import Preprocess
from support.onnx.session import OnnxSession

if TYPE_CHECKING:  # torch is imported where it is used: a start with ONNX Runtime needs none
    import torch
    from torch import Tensor, nn


class TorchEngine:
    """A network in eval mode, on a device, with its preprocessing.

    layer, cells, warp: the one to explain, where that is wanted, and where it looks (`ModelSpec`).
    """

    def __init__(
        self,
        network: nn.Module,
        preprocess: Preprocess,
        *,
        device: torch.device | str,
        layer: str = "",
        cells: Cells = None,
        warp: Warp | None = None,
    ) -> None:
        import torch

        self.network, self.preprocess, self.device = network.eval(), preprocess, torch.device(device)
        self.layer, self.cells, self.warp = layer, cells, warp
        self._hooked = threading.Lock()  # another thread's pass would run into the hooks

    def prepare(self, crops: np.ndarray) -> Tensor:
        """The network's input (N, C, h, w) float32 on the device."""
        import torch

        return self.preprocess(crops, device=self.device).contiguous(memory_format=torch.channels_last)

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """(N, K) float32."""
        import torch

        with torch.inference_mode(), self._hooked:
            return self.network(self.prepare(crops)).float().cpu().numpy()

    def forward(self, crops: np.ndarray) -> ForwardPass:
        """One pass that can be explained afterwards, of tensors on the device."""
        with self._hooked:
            return hooked_forward(self.network, self.layer, self.prepare(crops), cells=self.cells, warp=self.warp)


class OnnxEngine:
    """A session with its preprocessing, for networks that end in a mean over the grid and one linear layer.

    head: (K, C) float32, the linear layer's weight. cells: where the explained layer looks (`ModelSpec.cells`).
    """

    def __init__(self, session: OnnxSession, preprocess: Preprocess, head: np.ndarray, *, cells: Cells = None) -> None:
        self.session, self.preprocess, self.head, self.cells = session, preprocess, head, cells

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """(N, K) float32."""
        return np.asarray(self.forward(crops).logits)

    def forward(self, crops: np.ndarray) -> ForwardPass:
        """One pass that can be explained afterwards, of arrays."""
        if len(crops):
            logits, activation = self.session(self.preprocess.array(crops))
        else:  # not every operator takes an empty batch
            classes, channels = self.head.shape
            logits, activation = np.empty((0, classes), np.float32), np.empty((0, channels, 1, 1), np.float32)
        return PooledPass(logits, activation, self.preprocess.size_hw, self.cells, self.head)


Engine = TorchEngine | OnnxEngine
