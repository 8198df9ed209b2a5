"""Classifier: crops in, how the crowd would vote out.

In:  crops (N, S, S, 3) uint8 RGB.
Out: logits or probabilities (N, K) float32, K in the order of `class_names`; heatmaps where they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gradcam import Explanation
from models.checkpoint import SHIPPED, Checkpoint, load_checkpoint
from models.onnx_engine import OnnxEngine
from models.preprocess import Preprocess
from models.spec import find_spec
from support import UserError
from support.onnx.graph import Graph, find_graph
from support.onnx.session import OnnxSession, takes_onnx

if TYPE_CHECKING:  # torch is imported where it is used: a start with ONNX Runtime needs none
    import torch
    from torch import nn

    from models.torch_engine import TorchEngine

BATCH = 256  # faces a forward pass, where a whole split is classified
GRAPHS = Path(__file__).parent / "graphs"  # of the shipped networks


@dataclass(frozen=True, eq=False)
class Reading:
    """What N crops were taken for; where heat was asked for, also why.

    probabilities (N, K) float32; heatmaps (N, h, w) float32 in [0, 1]; class_index (N,) int64: the class explained;
    windows (N, 4, 2) float32: the part of each crop that a warping network saw (`gradcam.Explanation`), in pixels of
    the heatmap. None where there is none.
    """

    probabilities: np.ndarray
    heatmaps: np.ndarray | None = None
    class_index: np.ndarray | None = None
    windows: np.ndarray | None = None


class Classifier:
    """A trained network with its preprocessing and its class names, on one device.

    A network trained by KL divergence on votes says which share of a crowd would name each class, and is right about
    that. Asked how likely the crowd's majority label is, the same numbers are too cautious: `calibrated` makes them
    what was fitted for that question on validation data (models/training/calibration.py).

    engine: "onnx" is ONNX Runtime on the CPU, with so many `threads`; "torch" runs any network on any device, with the
        threads that torch has; "auto" is the first where it can be, which hangs on device, network and what is
        installed. Raises `UserError` where "onnx" is asked and cannot be.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: torch.device | str = "cpu",
        calibrated: bool = False,
        engine: str = "auto",
        threads: int = 2,
    ) -> None:
        self.preprocess = checkpoint.preprocess
        self.class_names = checkpoint.class_names
        self.temperature = checkpoint.temperature if calibrated else 1.0
        self.class_bias = np.float32(checkpoint.class_bias if calibrated else np.zeros(len(self.class_names)))
        self.name = checkpoint.network
        self.device = device
        onnx = _in_onnx(checkpoint, threads, must=engine == "onnx") if takes_onnx(engine, device) else None
        self.engine = onnx or _in_torch(checkpoint, device)

    @classmethod
    def from_file(cls, path: str | Path | None = None, **options: object) -> Classifier:
        """The classifier in the checkpoint at `path`; the shipped one where `path` is left out."""
        return cls(load_checkpoint(path or SHIPPED, arrays=True), **options)

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels of what the network sees, and of heatmaps."""
        return self.preprocess.size_hw

    def to_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """(N, K) logits -> (N, K) float32 whose rows sum to 1, as `calibrated` or not."""
        return softmax((logits + self.class_bias) / self.temperature)

    def logits(self, crops: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """(N, K) float32 of square uint8 RGB crops, which may differ in size; N may be 0."""
        return in_batches(self.engine.logits, crops)

    def probabilities(self, crops: np.ndarray | Sequence[np.ndarray], *, tta: bool = False) -> np.ndarray:
        """(N, K) float32; with `tta` the mean over each crop and its mirror image."""
        probabilities = self.to_probabilities(self.logits(crops))
        if tta:
            mirrored = self.to_probabilities(self.logits([crop[:, ::-1] for crop in crops]))
            probabilities = (probabilities + mirrored) / 2
        return probabilities

    def explained(
        self,
        crops: np.ndarray,
        *,
        class_index: Callable[[np.ndarray], np.ndarray] | None = None,
        method: str = "gradcam",
    ) -> Explanation:
        """Logits and heatmaps (N, h, w) of crops (N, S, S, 3) uint8 RGB from one forward pass; N may be 0.

        Heatmaps lie over the network's input, `preprocess.size_hw`. All are arrays.

        class_index: chooses the class to explain, (N,) int, from the logits (N, K); None: each row's highest.
        method: a key of `gradcam.EXPLAINERS`.
        """
        return self.engine.explained(crops, class_index=class_index, method=method)

    def read(
        self,
        crops: np.ndarray,
        *,
        method: str | None = None,
        choose: Callable[[np.ndarray], np.ndarray] | None = None,
        tta: bool = False,
    ) -> Reading:
        """Probabilities of crops (N, S, S, 3) uint8 RGB and, by a `method`, heatmaps from the same pass; N may be 0.

        method: a key of `gradcam.EXPLAINERS`; None: no heat.
        choose: the class to explain, (N,) int, from the probabilities (N, K); None: each row's highest.
        tta: each crop goes in with its mirror image; probabilities and heatmaps (the mirror image's turned back) are
            the mean of both, windows are those of the crop.
        """
        if method is None:
            return Reading(self.probabilities(crops, tta=tta))
        count, seen = len(crops), []

        def class_index(logits: np.ndarray) -> np.ndarray:
            rows = self.to_probabilities(logits)
            seen.append((rows[:count] + rows[count:]) / 2 if tta else rows)
            return np.tile(choose(seen[0]) if choose else seen[0].argmax(axis=1), 2 if tta else 1)

        both = np.concatenate([crops, crops[:, :, ::-1]]) if tta else crops
        found = self.explained(both, class_index=class_index, method=method)
        heatmaps = found.heatmaps
        if tta:
            heatmaps = (heatmaps[:count] + heatmaps[count:, :, ::-1]) / 2
        windows = None if found.windows is None else found.windows[:count]
        return Reading(seen[0], heatmaps, found.class_index[:count], windows)


def _in_onnx(checkpoint: Checkpoint, threads: int, *, must: bool) -> OnnxEngine | None:
    """The network in ONNX Runtime; where it cannot run there None, or `UserError` if it `must`."""
    graph = classifier_graph(checkpoint.network, len(checkpoint.class_names))
    if not graph.model:
        if must:
            raise UserError(
                f"--engine onnx cannot run {checkpoint.network}: {graph.about['why_not']}; leave --engine out."
            )
        return None
    weights = {name: np.asarray(weight) for name, weight in checkpoint.weights.items()}
    session = OnnxSession(graph, weights, threads=threads, what=f"the checkpoint of {checkpoint.network}")
    head, cells = weights[graph.about["head"]], graph.about["cells"]
    return OnnxEngine(session, checkpoint.preprocess, head, cells=cells)


def _in_torch(checkpoint: Checkpoint, device: torch.device | str) -> TorchEngine:
    import torch

    from models.torch_engine import TorchEngine

    network = checkpoint.build().to(device, memory_format=torch.channels_last).requires_grad_(False)
    spec = find_spec(checkpoint.network)
    looks = {"layer": spec.explain_layer, "cells": spec.cells, "warp": spec.warp}
    return TorchEngine(network, checkpoint.preprocess, device=device, **looks)


def classifier_graph(network: str, classes: int) -> Graph:
    """The graph of `network` as its code is now: shipped for the default one, else made at the first start."""

    def make() -> Graph:
        from models.graph import make_graph

        return make_graph(network, classes)

    return find_graph(f"{network}-{classes}", shipped=GRAPHS, make=make)


def predict_logits(
    network: nn.Module, preprocess: Preprocess, crops: np.ndarray | Sequence[np.ndarray], *, device: torch.device | str
) -> np.ndarray:
    """(N, K) float32 logits of a torch network in eval mode, as `Classifier.logits` gives them."""
    from models.torch_engine import TorchEngine

    return in_batches(TorchEngine(network, preprocess, device=device).logits, crops)


def in_batches(logits_of: Callable[[np.ndarray], np.ndarray], crops: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
    """What `logits_of` gives for up to `BATCH` crops of one size, (N, K), for any number of crops of any size."""
    if len({crop.shape for crop in crops}) > 1:  # pictures of several sizes are brought to the network's one by one
        return np.concatenate([logits_of(crop[None]) for crop in crops])
    if not len(crops):
        return logits_of(np.empty((0, 8, 8, 3), np.uint8))
    return np.concatenate([logits_of(np.stack(crops[i : i + BATCH])) for i in range(0, len(crops), BATCH)])


def softmax(logits: np.ndarray) -> np.ndarray:
    """(N, K) -> (N, K) float32 whose rows sum to 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
