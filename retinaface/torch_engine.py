"""The detector's network in torch: on any device, for any state of training.

In:  frames (N, H, W, 3) uint8 RGB of one size.
Out: scores (N, A), box offsets (N, A, 4), landmark offsets (N, A, 10), float32 arrays, as the graph for ONNX Runtime
     gives them.
"""

from __future__ import annotations

import numpy as np
import torch

from retinaface.network import RetinaFaceNetwork, to_input


class TorchEngine:
    """A network in eval mode and without gradients, on the device that it is on."""

    def __init__(self, network: RetinaFaceNetwork) -> None:
        self.network = network.eval().requires_grad_(False)

    @torch.inference_mode()
    def __call__(self, frames: np.ndarray) -> list[np.ndarray]:
        """Scores, box offsets and landmark offsets of every anchor of every frame."""
        device = next(self.network.parameters()).device
        logits, boxes, landmarks = self.network(to_input(torch.from_numpy(frames).to(device)))
        return [values.cpu().numpy() for values in (logits.softmax(dim=-1)[..., 1], boxes, landmarks)]
