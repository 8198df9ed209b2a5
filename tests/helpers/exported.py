"""Classifiers of untrained networks in either engine."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from torch import nn

from models.checkpoint import Checkpoint, save_checkpoint
from models.classifier import Classifier
from models.export import export_checkpoint


def classifier_in(engine: str, checkpoint: Checkpoint, folder: Path, *, confidence: str = "crowd") -> Classifier:
    """`checkpoint` in "torch" or in "onnx", for which it is saved and exported into `folder`."""
    if engine == "torch":
        return Classifier(checkpoint, confidence=confidence)
    save_checkpoint(folder / "x.safetensors", checkpoint)
    with contextlib.redirect_stderr(io.StringIO()):
        export_checkpoint(folder / "x.safetensors")
    return Classifier.from_file(folder / "x.safetensors", engine="onnx", confidence=confidence)


def norms_that_have_seen_something(network: nn.Module) -> nn.Module:
    """`network`, untrained, with batch norms whose statistics are not those of the start; in place."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    return network
