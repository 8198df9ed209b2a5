"""A classifier's network in torch: any network, on any device, explained by hooks and a gradient.

In:  crops (N, S, S, 3) uint8 RGB.
Out: logits (N, K) and heatmaps (N, h, w), float32 arrays.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from gradcam import Explanation, Warp, explain
from models.preprocess import Preprocess


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
        layer: str | None = None,
        cells: tuple[float, float] | None = None,
        warp: Warp | None = None,
    ) -> None:
        self.network, self.preprocess, self.device = network, preprocess, torch.device(device)
        self.layer, self.cells, self.warp = layer, cells, warp

    def prepare(self, crops: np.ndarray) -> Tensor:
        """The network's input (N, C, h, w) float32 on the device."""
        return self.preprocess(crops, device=self.device).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def logits(self, crops: np.ndarray) -> np.ndarray:
        """(N, K) float32; N may be 0."""
        return self.network(self.prepare(crops)).float().cpu().numpy()

    def explained(
        self, crops: np.ndarray, *, class_index: Callable[[np.ndarray], np.ndarray] | None, method: str
    ) -> Explanation:
        """Logits and heatmaps, as `Classifier.explained` has them; N may be 0."""

        def choose(logits: Tensor) -> Tensor:
            if class_index is None:
                return logits.argmax(dim=1)
            return torch.from_numpy(np.asarray(class_index(logits.cpu().numpy()), np.int64)).to(logits.device)

        x = self.prepare(crops)
        looks = {"cells": self.cells, "warp": self.warp}
        found = explain(self.network, self.layer, x, class_index=choose, method=method, **looks)
        tensors = {name: tensor for name, tensor in vars(found).items() if tensor is not None}
        return Explanation(**{name: tensor.cpu().numpy() for name, tensor in tensors.items()})
