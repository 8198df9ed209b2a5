"""A classifier's network in ONNX Runtime: on the CPU, explained without a backward pass, and without torch.

In:  crops (N, S, S, 3) uint8 RGB.
Out: logits (N, K) and heatmaps (N, h, w), float32 arrays.

Only for networks that end in a mean over the grid and one linear layer (see models/graph.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradcam import Explanation, explain_pooled
from models.preprocess import Preprocess
from support.onnx.session import OnnxSession


class OnnxEngine:
    """A session with its preprocessing.

    head: (K, C) float32, the linear layer's weight. cells: where the layer explained looks (`ModelSpec.cells`).
    """

    def __init__(
        self,
        session: OnnxSession,
        preprocess: Preprocess,
        head: np.ndarray,
        *,
        cells: tuple[float, float] | None = None,
    ) -> None:
        self.session, self.preprocess, self.head, self.cells = session, preprocess, head, cells

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """(N, K) float32; N may be 0."""
        if not len(crops):  # not every operator takes an empty batch
            return np.empty((0, len(self.head)), np.float32)
        return self.session(self.preprocess.array(crops))[0]

    def explained(
        self, crops: np.ndarray, *, class_index: Callable[[np.ndarray], np.ndarray] | None, method: str
    ) -> Explanation:
        """Logits and heatmaps, as `Classifier.explained` has them; N may be 0."""
        if len(crops):
            logits, activation = self.session(self.preprocess.array(crops))
        else:
            logits, activation = self.logits(crops), np.empty((0, self.head.shape[1], 1, 1), np.float32)
        return explain_pooled(
            logits,
            activation,
            self.head,
            size_hw=self.preprocess.size_hw,
            class_index=class_index,
            method=method,
            cells=self.cells,
        )
