"""Learning from a trained detector of the same shape: see what it sees, be as sure as it is, except where it is wrong.

In:  context features and class logits of the network under training and of the teacher on one batch; the annotated kind
     of every anchor.
Out: one scalar loss.

Annotations say of an anchor that it is a face or not; a teacher says how much of one, and its features say why, which
is far more to learn from on each scene (Hinton et al. 2015, arXiv 1503.02531; hints from features: Romero et al. 2015,
arXiv 1412.6550; for detectors: Li et al. 2017, "Mimicking very efficient network for object detection"). Where the
teacher contradicts an annotation, a face it misses or one it imagines, it is not followed. Nor are its boxes and
landmarks: every face of a scene has annotated ones, and those of a teacher have its own errors.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from retinaface.anchors import SIZES
from retinaface.loss import FACE, GROUND

ANCHORS_PER_CELL = len(SIZES[0])
FLOOR = 0.3  # weight of a cell where the teacher sees no face, beside 1 where it surely does


def following_loss(
    levels: list[Tensor], logits: Tensor, teacher_levels: list[Tensor], teacher_logits: Tensor, kind: Tensor
) -> Tensor:
    """Features and log-odds together.

    levels: three (N, C, h, w); logits (N, A, 2); the teacher's likewise; kind (N, A) int64 as in `loss.match`.
    """
    teacher_odds = log_odds(teacher_logits)  # (N, A)
    score = teacher_odds.sigmoid()
    trusted = ~(((kind == GROUND) & (score > 0.5)) | ((kind == FACE) & (score < 0.5)))
    return feature_loss(levels, teacher_levels, score, trusted) + odds_loss(log_odds(logits), teacher_odds, trusted)


def log_odds(logits: Tensor) -> Tensor:
    """(N, A) log of face against ground, from (N, A, 2)."""
    return logits[..., FACE] - logits[..., GROUND]


def feature_loss(levels: list[Tensor], teacher_levels: list[Tensor], score: Tensor, trusted: Tensor) -> Tensor:
    """Squared distance of the features over the teacher's own mean square, cells weighted by how much face is there.

    A face fits one of a cell's anchors, so the higher score counts; one anchor that is not trusted leaves the cell out.
    """
    score, trusted = (part.unflatten(1, (-1, ANCHORS_PER_CELL)) for part in (score, trusted))
    weight = (FLOOR + score.amax(dim=2)) * trusted.all(dim=2)  # (N, cells of all levels)
    cells = [level.shape[2] * level.shape[3] for level in levels]
    loss = torch.zeros((), device=score.device)
    for own, other, part in zip(levels, teacher_levels, weight.split(cells, dim=1), strict=True):
        distance = (own - other).square().mean(dim=1).flatten(1)  # (N, h w)
        loss = loss + (part * distance).sum() / part.sum().clamp(min=1e-6) / other.square().mean()
    return loss / len(levels)


def odds_loss(odds: Tensor, teacher_odds: Tensor, trusted: Tensor) -> Tensor:
    """Smooth L1 of the log-odds (N, A), a mean over the trusted anchors on which either sees something of a face.

    Scores cannot say which of two sure faces is the surer one, nor a loss that flattens towards 1 teach it; log-odds
    can, and that order is what a precision-recall curve is made of. An anchor weighs as the root of the higher score.
    """
    weight = torch.maximum(odds.detach(), teacher_odds).sigmoid().sqrt() * trusted
    distance = F.smooth_l1_loss(odds, teacher_odds, reduction="none")
    return (weight * distance).sum() / weight.sum().clamp(min=1e-6)
