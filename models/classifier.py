"""Classifier: crops in, how the crowd would vote out.

In:  crops (N, S, S, 3) uint8 RGB.
Out: probabilities (N, K) float32, rows sum to 1, K in the order of `class_names`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.checkpoint import SHIPPED, Checkpoint, load_checkpoint
from models.preprocess import Preprocess
from models.spec import find_spec

BATCH = 256  # faces a forward pass, where a whole split is classified


class Classifier:
    """A trained network with its preprocessing and its class names, on one device.

    A network trained by KL divergence on votes says which share of a crowd would name each class, and is right about
    that. Asked how likely the crowd's majority label is, the same numbers are too cautious: `calibrated` sharpens them
    by the temperature that was fitted for that question on validation data.
    """

    def __init__(self, checkpoint: Checkpoint, *, device: torch.device | str = "cpu", calibrated: bool = False) -> None:
        self.network = checkpoint.build().to(device, memory_format=torch.channels_last).requires_grad_(False)
        self.preprocess = checkpoint.preprocess
        self.class_names = checkpoint.class_names
        self.temperature = checkpoint.temperature if calibrated else 1.0
        self.explain_layer = find_spec(checkpoint.network).explain_layer
        self.name = checkpoint.network
        self.device = torch.device(device)

    @classmethod
    def from_file(cls, path: str | Path | None = None, **options: object) -> Classifier:
        """The classifier in the checkpoint at `path`; the shipped one where `path` is left out."""
        return cls(load_checkpoint(path or SHIPPED), **options)

    def prepare(self, crops: np.ndarray) -> Tensor:
        """(N, S, S, 3) uint8 RGB -> the network's input (N, C, h, w) float32 on the device."""
        return self.preprocess(crops, device=self.device).contiguous(memory_format=torch.channels_last)

    def to_probabilities(self, logits: Tensor) -> Tensor:
        """(N, K) logits -> (N, K) float32: softmax at the classifier's temperature."""
        return (logits.float() / self.temperature).softmax(dim=1)

    def logits(self, crops: np.ndarray | Sequence[np.ndarray]) -> Tensor:
        """(N, K) float32 on the CPU, before temperature and softmax; N may be 0."""
        return torch.from_numpy(predict_logits(self.network, self.preprocess, crops, device=self.device))

    def probabilities(self, crops: np.ndarray | Sequence[np.ndarray], *, tta: bool = False) -> np.ndarray:
        """(N, K) float32; with `tta` the mean over each crop and its mirror image."""
        probabilities = self.to_probabilities(self.logits(crops))
        if tta:
            mirrored = self.to_probabilities(self.logits([crop[:, ::-1] for crop in crops]))
            probabilities = (probabilities + mirrored) / 2
        return probabilities.numpy()


@torch.inference_mode()
def predict_logits(
    network: nn.Module, preprocess: Preprocess, crops: np.ndarray | Sequence[np.ndarray], *, device: torch.device | str
) -> np.ndarray:
    """(N, K) float32 logits of N square uint8 RGB crops, which may differ in size; N may be 0."""
    sizes = {crop.shape for crop in crops}
    if len(sizes) > 1:  # one size a batch: pictures of several sizes are brought to the network's one by one
        return np.concatenate([predict_logits(network, preprocess, crop[None], device=device) for crop in crops])
    logits = []
    for start in range(0, max(len(crops), 1), BATCH):
        batch = np.stack(crops[start : start + BATCH]) if len(crops) else np.empty((0, 8, 8, 3), np.uint8)
        x = preprocess(batch, device=device).contiguous(memory_format=torch.channels_last)
        logits.append(network(x).float().cpu().numpy())
    return np.concatenate(logits)
