"""Cross-validation: one run a fold, and the mean and deviation of what they score on the faces they have not seen.

In:  how a fold is trained and scored.
Out: a folder a fold; folds.json beside them: {score: {"mean", "deviation", "folds": [...]}}; the same in lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from models.classifier import Classifier
from support import notify, write_json
from support.metrics import js_divergence, kl_divergence, score

SHOWN = ("accuracy", "balanced_accuracy", "macro_f1", "kl")


def cross_validate(
    folder: str | Path, folds: int, train_fold: Callable[[int, Path], dict[str, float] | None], *, silent: bool = False
) -> int:
    """Call `train_fold(number, its folder)` for each fold; 0, or 130 where one gives None: it was stopped.

    silent: write nothing and say nothing.
    """
    scores = []
    for number in range(folds):
        out = Path(folder) / f"fold{number + 1}"
        if not silent:
            notify(f"fold {number + 1} of {folds}: {out}")
        of_fold = train_fold(number, out)
        if of_fold is None:
            return 130
        scores.append(of_fold)
    if not silent:
        report = summarise(scores)
        write_json(report, Path(folder) / "folds.json")
        for name in SHOWN:
            notify(f"{name} of {folds} folds: {report[name]['mean']:.4f}, deviation {report[name]['deviation']:.4f}")
    return 0


def summarise(scores: Sequence[Mapping[str, float]]) -> dict[str, dict]:
    """Mean, sample standard deviation (n - 1) and single values of every score over two folds or more."""
    return {
        name: {
            "mean": float(np.mean([of_fold[name] for of_fold in scores])),
            "deviation": float(np.std([of_fold[name] for of_fold in scores], ddof=1)),
            "folds": [float(of_fold[name]) for of_fold in scores],
        }
        for name in scores[0]
    }


def scores_on(
    weights: Path,
    images: Sequence[np.ndarray] | np.ndarray,
    labels: np.ndarray,
    votes: np.ndarray,
    *,
    device: torch.device,
) -> dict[str, float]:
    """`support.metrics.score` of a checkpoint on some faces; labels (N,) int, votes (N, K).

    kl and js are of the crowd's shares, all others of the label's probabilities, as in evaluation.
    """
    classifier = Classifier.from_file(weights, device=device, engine="torch")
    logits = classifier.logits(images)
    label, crowd = (classifier.to_probabilities(logits, confidence=each) for each in ("label", "crowd"))
    scores = score(labels, label, votes)
    return scores | {"kl": kl_divergence(votes, crowd), "js": js_divergence(votes, crowd)}
