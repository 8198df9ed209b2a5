"""Learning from a trained detector of the same shape: see what it sees, say what it says, except where it is wrong.

In:  context features and answers of the network under training and of the teacher on one batch; the annotated kind of
     every anchor.
Out: one scalar loss.

Annotations say of an anchor that it is a face or not; a teacher says how much of one, and its features say why, which
is far more to learn from on each scene (Hinton et al. 2015, arXiv 1503.02531; hints from features: Romero et al. 2015,
arXiv 1412.6550; for detectors: Li et al. 2017, "Mimicking very efficient network for object detection"). Where the
teacher contradicts an annotation, a face it misses or one it imagines, it is not followed.
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
    levels: list[Tensor],
    answers: tuple[Tensor, Tensor, Tensor],
    teacher_levels: list[Tensor],
    teacher_answers: tuple[Tensor, Tensor, Tensor],
    kind: Tensor,
) -> Tensor:
    """Features, scores, boxes and landmarks together.

    levels: three (N, C, h, w); answers: logits (N, A, 2), box offsets (N, A, 4), landmark offsets (N, A, 10); the
    teacher's likewise; kind (N, A) int64 as in `loss.match`. Boxes and landmarks are followed where the teacher is
    sure of a face: annotated landmarks may themselves be estimates, whose errors differ from the teacher's.
    """
    teacher_score = teacher_answers[0].softmax(dim=-1)[..., FACE]  # (N, A)
    trusted = ~(((kind == GROUND) & (teacher_score > 0.5)) | ((kind == FACE) & (teacher_score < 0.5)))
    sure = trusted & (teacher_score > 0.5)
    offsets = sum(
        F.smooth_l1_loss(answers[part][sure], teacher_answers[part][sure], reduction="sum") for part in (1, 2)
    )
    return (
        feature_loss(levels, teacher_levels, teacher_score, trusted)
        + score_loss(answers[0], teacher_score, trusted)
        + offsets / sure.sum().clamp(min=1)
    )


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


def score_loss(logits: Tensor, score: Tensor, trusted: Tensor) -> Tensor:
    """Cross-entropy to the teacher's score, weighted by how far off it is (Li et al. 2020, arXiv 2006.04388, eq. 2)."""
    log_odds = logits[..., FACE] - logits[..., GROUND]
    off = (log_odds.sigmoid().detach() - score).square() * trusted
    cross_entropy = F.binary_cross_entropy_with_logits(log_odds, score, reduction="none")
    return (off * cross_entropy).sum() / (score * trusted).sum().clamp(min=1)
