"""Learning from a trained detector of the same shape: see what it sees, be as sure as it is, except where it is wrong.

In:  features and answers of the network under training and of the teacher on one batch; the annotated kind of every
     anchor.
Out: one scalar loss.

Annotations say of an anchor that it is a face or not; a teacher says how much of one, and its features say why, which
is far more to learn from on each scene (Hinton et al. 2015, arXiv 1503.02531; hints from features: Romero et al. 2015,
arXiv 1412.6550; for detectors: Li et al. 2017, "Mimicking very efficient network for object detection"). Where
the teacher contradicts an annotation, a face it misses or one it imagines, it is not followed. Nor are its boxes:
every face has an annotated one, by another convention where faces are masked. Nor its landmarks: the public weights set
them to the right of and below LFW's hand marks, and a network that follows them does so, too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from retinaface.anchors import SIZES
from retinaface.training.loss import BACKGROUND, FACE

ANCHORS_PER_CELL = len(SIZES[0])
FEATURES = 25.0  # weight of the features beside 1 for the log-odds; see `feature_loss`


def distillation_loss(
    features: list[Tensor],
    outputs: tuple[Tensor, Tensor, Tensor],
    teacher_features: list[Tensor],
    teacher_outputs: tuple[Tensor, Tensor, Tensor],
    kind: Tensor,
) -> Tensor:
    """Features and log-odds together.

    features: (N, C, h, w) of every level, finest first, once for the backbone and once for the heads; outputs as in
    `loss.multi_task_loss`; the teacher's likewise; kind (N, A) int64 as in `loss.match`.
    """
    odds, teacher_odds = log_odds(outputs[0]), log_odds(teacher_outputs[0])  # (N, A)
    score = teacher_odds.sigmoid()
    trusted = ~(((kind == BACKGROUND) & (score > 0.5)) | ((kind == FACE) & (score < 0.5)))
    seen = feature_loss(features, teacher_features, score, trusted)
    return FEATURES * seen + logit_loss(odds, teacher_odds, trusted)


def log_odds(logits: Tensor) -> Tensor:
    """(N, A) log of face against background, from (N, A, 2)."""
    return logits[..., FACE] - logits[..., BACKGROUND]


def feature_loss(features: list[Tensor], teacher_features: list[Tensor], score: Tensor, trusted: Tensor) -> Tensor:
    """Squared distance over the teacher's own square, on faces and on background, a mean over the maps.

    Faces and background count the same, few as the cells with a face are; where a map shows none, the cells most like one
    stand for it. A face fits one of a cell's anchors, so the higher score says how much of one is there; one anchor
    that is not trusted leaves the cell out.

    Its gradient is small: measured on the first stage of the backbone, that of the landmark loss has 200 times the norm
    and that of the log-odds ten times. With a weight of 2.5 the features hardly followed; see `FEATURES`.
    """
    score, trusted = (part.unflatten(1, (-1, ANCHORS_PER_CELL)) for part in (score, trusted))
    cells = [level.shape[2] * level.shape[3] for level in features[: len(SIZES)]]
    faces = score.amax(dim=2).split(cells, dim=1)  # (N, cells) of each level
    counted = trusted.all(dim=2).split(cells, dim=1)
    loss = torch.zeros((), device=score.device)
    for own, other, face, known in zip(features, teacher_features, 2 * faces, 2 * counted, strict=True):
        distance = (own - other).square().mean(dim=1).flatten(1)  # (N, h w)
        size = other.square().mean(dim=1).flatten(1)
        for weight in (face * known, (1 - face) * known):
            loss = loss + (weight * distance).sum() / (weight * size).sum().clamp(min=1e-6)
    return loss / (2 * len(features))


def logit_loss(odds: Tensor, teacher_odds: Tensor, trusted: Tensor) -> Tensor:
    """Smooth L1 of the log-odds (N, A), a mean over the trusted anchors on which either sees something of a face.

    Scores hardly say which of two sure faces is the surer one, and a loss that flattens towards 1 cannot teach it;
    log-odds can, and that order is what a precision-recall curve is made of. An anchor weighs as the higher of its two
    scores.
    """
    weight = torch.maximum(odds.detach(), teacher_odds).sigmoid() * trusted
    distance = F.smooth_l1_loss(odds, teacher_odds, reduction="none")
    return (weight * distance).sum() / weight.sum().clamp(min=1e-6)
