"""Distillation from a trained detector of the same architecture: features and log-odds, except where it is wrong.

In:  features and outputs of the student and of the teacher on one batch; the annotated label of every anchor.
Out: one scalar loss.

An annotation says whether an anchor is on a face. A teacher gives a score and the features behind it, which is much
more to learn from on each scene (Hinton et al. 2015, arXiv 1503.02531; features as hints: Romero et al. 2015,
arXiv 1412.6550; for detectors: Li et al. 2017, "Mimicking very efficient network for object detection"). Anchors where
the teacher contradicts the annotation, a missed face or a false positive, are left out. So are its boxes: every face
has an annotated one, which follows another convention where faces are masked. So are its landmarks: those of the public
weights lie to the right of and below the ones set by hand in LFW, and a student would learn that bias.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retinaface.anchors import SIZES
from retinaface.network import RetinaFaceNetwork
from retinaface.training.loss import BACKGROUND, FACE, Triple

Seen = tuple[list[Tensor], Triple]  # features and outputs

ANCHORS_PER_CELL = len(SIZES[0])
FEATURE_WEIGHT = 25.0  # of the feature loss, beside 1 for the log-odds; see `feature_loss`


class NetworkWithFeatures(nn.Module):
    """A detector network that returns its features together with its outputs."""

    def __init__(self, network: RetinaFaceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Seen:
        """x (N, 3, H, W) -> three activations of the backbone and the three inputs of the heads; the outputs."""
        stages = self.network.body(x)
        levels = self.network.context(stages)
        return [*stages, *levels], self.network.predict_heads(levels)


def distillation_loss(student: Seen, teacher: Seen, labels: Tensor) -> Tensor:
    """The weighted sum of `feature_loss` and `logit_loss`.

    student, teacher: what `NetworkWithFeatures` gives of the same pictures. labels: (N, A) int64, see `match_anchors`.
    """
    (features, outputs), (teacher_features, teacher_outputs) = student, teacher
    odds, teacher_odds = (o[0][..., FACE] - o[0][..., BACKGROUND] for o in (outputs, teacher_outputs))  # log, (N, A)
    score = teacher_odds.sigmoid()
    trusted = ~(((labels == BACKGROUND) & (score > 0.5)) | ((labels == FACE) & (score < 0.5)))
    of_features = feature_loss(features, teacher_features, score, trusted)
    return FEATURE_WEIGHT * of_features + logit_loss(odds, teacher_odds, trusted)


def feature_loss(features: list[Tensor], teacher_features: list[Tensor], score: Tensor, trusted: Tensor) -> Tensor:
    """Squared distance of the features relative to the teacher's square, averaged over the maps.

    score, trusted: (N, A), the teacher's scores, and whether they agree with the annotation. Cells on faces and cells
    on the background count the same in total, though the first are few. The score of a cell is the higher one of its
    anchors; a cell with an anchor that is not trusted is left out.

    Its gradient is small: in the first stage of the backbone that of the landmark loss was measured to have 200 times
    the norm, and that of the log-odds ten times. A weight of 2.5 had hardly any effect; hence `FEATURE_WEIGHT`.
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
    """Smooth L1 of the log-odds (N, A), a mean over the trusted anchors, each weighted by the higher of its two scores.

    Near a score of 1 the gradient of a cross-entropy vanishes, so it cannot teach which of two sure faces is the surer
    one. Log-odds can, and that order decides a precision-recall curve.
    """
    weight = torch.maximum(odds.detach(), teacher_odds).sigmoid() * trusted
    distance = F.smooth_l1_loss(odds, teacher_odds, reduction="none")
    return (weight * distance).sum() / weight.sum().clamp(min=1e-6)
