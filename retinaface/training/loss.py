"""The multi-task loss: how sure, where, and the five landmarks.

In:  what the network gives for a batch; which anchor is to find which face (`match_anchors`); the faces.
Out: three scalars, to be summed with `WEIGHTS` (Deng et al. 2020, equation 1, without the dense regression term).

The target of an anchor's score is the IoU that its box reaches (quality focal loss, Li et al. 2020, arXiv 2006.04388,
equation 2), so that of two anchors on one face the better box has the higher score. The part of a face outside the
window cannot be seen, so that IoU is computed between the parts of both boxes inside it. Boxes have the GIoU loss
(Rezatofighi et al. 2019, arXiv 1902.09630), landmarks smooth L1 in units of the face's size; those of small faces, and
those that a detector gave, count less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from retinaface.network import Outputs
from retinaface.training.matching import IGNORED

WEIGHTS = (1.0, 2.0, 12.0)  # of quality, box and landmarks: faces are aligned by their landmarks
FOCUS = 2  # exponent of the focal factor: anchors that are nearly right count little
LOWEST_WEIGHT = 0.05  # of an anchor's box and landmarks, which count by its score
BY_HAND = 3.0  # weight of landmarks that a person set, where a detector's have 1
SMALL = 64  # pixels of a face below which its landmarks count less, in proportion
SMOOTH_L1_BETA = 0.02  # face sizes; landmarks that are off by less cost their square


@dataclass(frozen=True, eq=False)
class Targets:
    """What a batch of N windows of A anchors is to give.

    matched: (N, A) int64, see `match_anchors`. boxes: (N, F, 4) xyxy and landmarks (N, F, 5, 2), float32, pixels;
    landmarks are NaN where unknown; rows past a window's own faces mean nothing. by_hand: (N,) bool, did a person set
    the window's landmarks?
    """

    matched: Tensor
    boxes: Tensor
    landmarks: Tensor
    by_hand: Tensor


def multi_task_loss(
    outputs: Outputs, targets: Targets, *, side: int, mean: Callable[[float], float] = float
) -> tuple[Tensor, Tensor, Tensor]:
    """Quality, box and landmark loss of a batch, each a scalar.

    outputs: logits (N, A), boxes (N, A, 4), landmarks (N, A, 5, 2).
    side: of the square windows, in pixels.
    mean: the mean of a number over all processes, where each has a part of the batch; the mean of their losses is then
        the loss of the whole batch.
    """
    logits, boxes, landmarks = outputs
    window, anchor = (targets.matched >= 0).nonzero(as_tuple=True)
    face = targets.matched[window, anchor]
    true_boxes = targets.boxes[window, face]  # (P, 4)
    _, generalised = iou_and_giou(boxes[window, anchor], true_boxes)
    visible, _ = iou_and_giou(boxes[window, anchor].detach().clamp(0, side), true_boxes.clamp(0, side))
    scores = logits.sigmoid()
    weight = scores[window, anchor].detach().clamp(min=LOWEST_WEIGHT)

    wanted = torch.zeros_like(logits)
    wanted[window, anchor] = visible
    focal = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * (wanted - scores).abs() ** FOCUS
    quality_loss = focal[targets.matched != IGNORED].sum() / max(1.0, mean(len(face)))

    box_loss = (weight * (1 - generalised)).sum() / max(1.0, mean(weight.sum().item()))

    true_landmarks = targets.landmarks[window, face]  # (P, 5, 2)
    known = true_landmarks.isfinite().all(dim=2).all(dim=1)
    size = (true_boxes[:, 2:] - true_boxes[:, :2]).prod(dim=1).sqrt()
    off = (landmarks[window, anchor] - true_landmarks) / size[:, None, None]
    distance = F.smooth_l1_loss(off[known], torch.zeros_like(off[known]), reduction="none", beta=SMOOTH_L1_BETA)
    weight = weight * (size / SMALL).clamp(max=1) * torch.where(targets.by_hand[window], BY_HAND, 1.0)
    weight = weight[known]
    landmark_loss = (weight * distance.mean(dim=(1, 2))).sum() / max(1.0, mean(weight.sum().item()))
    return quality_loss, box_loss, landmark_loss


def iou_and_giou(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """(P,) intersection over union, 0 to 1, and generalised IoU, -1 to 1, of pairs of boxes (P, 4) xyxy."""

    def area(xyxy: Tensor) -> Tensor:
        return (xyxy[:, 2:] - xyxy[:, :2]).clamp(min=0).prod(dim=1)

    low, high = torch.minimum(boxes, others), torch.maximum(boxes, others)
    shared = area(torch.cat([high[:, :2], low[:, 2:]], dim=1))
    union = area(boxes) + area(others) - shared + 1e-6
    hull = area(torch.cat([low[:, :2], high[:, 2:]], dim=1)) + 1e-6
    return shared / union, shared / union - (hull - union) / hull
