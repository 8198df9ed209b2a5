"""How good a network is by now, and the checkpoint of the best one.

In:  a network in eval mode, the validation's pictures, labels (N,) int and votes (N, K).
Out: scores by name, logits (N, K) float32; best.safetensors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.classifier import predict_logits
from models.export import export_checkpoint
from models.preprocess import Preprocess
from models.training.calibration import calibrate, tell_doubts
from models.training.settings import Settings
from support import FAILED, UserError
from support.metrics import score, softmax
from support.training.distributed import Distributed


def validate(
    network: nn.Module,
    preprocess: Preprocess,
    images: Sequence[np.ndarray] | np.ndarray,
    labels: np.ndarray,
    votes: np.ndarray,
    distributed: Distributed,
) -> tuple[dict[str, float], np.ndarray]:
    """Scores on all faces, of which each process computes its share, and logits; all processes must call it."""
    mine = images[distributed.rank :: distributed.world_size]
    logits = distributed.gather(predict_logits(network, preprocess, mine, device=distributed.device))
    if not np.isfinite(logits).all():
        raise UserError(
            "the network gives numbers that are not finite on the validation faces: the training has diverged. What was"
            " saved before is kept; begin again with a lower --lr.",
            exit_code=FAILED,
        )
    scores = score(labels, softmax(logits), votes)
    scores["ece_uncalibrated"] = scores.pop("ece")
    return scores, logits


def export_best(path: Path) -> None:
    """Write the .onnx file beside the checkpoint at `path`; say what its calibration could not fit."""
    tell_doubts(load_checkpoint(path))
    export_checkpoint(path)


def save_best(
    path: Path,
    network: nn.Module,
    *,
    settings: Settings,
    preprocess: Preprocess,
    class_names: tuple[str, ...],
    scores: dict[str, float],
    epoch: int,
    logits: np.ndarray,
    labels: np.ndarray,
    votes: np.ndarray,
    class_shares: np.ndarray,
) -> None:
    """Write the checkpoint of `network`, calibrated on the validation's logits; the rest is as in `calibrate`."""
    checkpoint = Checkpoint(
        network=settings.model,
        class_names=class_names,
        preprocess=preprocess,
        weights=network.state_dict(),
        settings=dataclasses.asdict(settings),
        scores={"validation": scores, "epoch": epoch},
    )
    save_checkpoint(path, calibrate(checkpoint, logits, labels, votes, class_shares=class_shares))
