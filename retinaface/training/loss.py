"""The multi-task loss of RetinaFace: classification, box regression and landmark regression.

In:  the network's three outputs; targets of every anchor, made by `match_anchors`.
Out: three scalars, to be summed (Deng et al. 2020, eq. 1, without the dense regression term).

Most anchors are on the background. Of these only the hard negatives count, the ones with the highest loss, up to
`NEGATIVES_PER_POSITIVE` for each anchor on a face (Liu et al. 2016, SSD, section 2.2).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from retinaface.anchors import encode_boxes, encode_landmarks, iou

Triple = tuple[Tensor, Tensor, Tensor]

FACE, BACKGROUND, IGNORED = 1, 0, -1  # anchor labels
FACE_IOU = 0.35  # an anchor with a higher IoU with a face is positive; small faces rarely reach 0.5
IGNORE_SHARE = 0.4  # an anchor with a larger share of its area in an ignored region is ignored
NEGATIVES_PER_POSITIVE = 7
NEGATIVES_WITHOUT_POSITIVES = 80  # hard negatives of a scene without a face
SMOOTH_L1_BETA = 0.2  # offsets that are off by less cost their square


def match_anchors(
    anchors: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray, ignore: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets of anchors (A, 4) cxcywh for faces with boxes (M, 4) xyxy and landmarks (M, 5, 2).

    They are labels (A,) int64, FACE, BACKGROUND or IGNORED; box offsets (A, 4) float32, 0 but for anchors on a face;
    landmark offsets (A, 10) float32, NaN where unknown.
    ignore: (K, 4) xyxy, regions whose anchors are ignored unless they are on a face. An anchor belongs to the face of
    the highest IoU, if that is above `FACE_IOU`; every face gets at least its best anchor.
    """
    labels = np.zeros(len(anchors), np.int64)
    box_offsets = np.zeros((len(anchors), 4), np.float32)
    landmark_offsets = np.full((len(anchors), 10), np.nan, np.float32)
    anchors_xyxy = np.concatenate([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2], axis=1)
    if len(ignore):
        labels[share_inside(anchors_xyxy, ignore).max(axis=1) > IGNORE_SHARE] = IGNORED
    if len(boxes):
        overlap = iou(anchors_xyxy, boxes)  # (A, M)
        best_anchor = overlap.argmax(axis=0)
        overlap[best_anchor, np.arange(len(boxes))] = 2  # above any IoU: this anchor belongs to that face
        face = overlap.argmax(axis=1)
        on_face = np.flatnonzero(overlap.max(axis=1) > FACE_IOU)
        labels[on_face] = FACE
        box_offsets[on_face] = encode_boxes(boxes[face[on_face]], anchors[on_face])
        landmark_offsets[on_face] = encode_landmarks(landmarks[face[on_face]], anchors[on_face])
    return labels, box_offsets, landmark_offsets


def share_inside(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """(A, K): the share of the area of each box (A, 4) inside each region (K, 4), 0 to 1; all xyxy."""
    top_left = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.clip(bottom_right - top_left, 0, None).prod(axis=2) / area[:, None]


def multi_task_loss(outputs: Triple, targets: Triple, *, mean: Callable[[float], float] = float) -> Triple:
    """Class, box and landmark loss of a batch, each a scalar.

    outputs: logits (N, A, 2), box offsets (N, A, 4), landmark offsets (N, A, 10).
    targets: labels (N, A) int64, boxes (N, A, 4), landmarks (N, A, 10) float32, of each scene those of `match_anchors`.
    mean: the mean of a number over all processes, where each has a part of the batch; the mean of their losses is then
        the loss of the whole batch.
    Each loss is divided by the number of anchors on faces that it concerns. Offsets have smooth L1, as in the paper,
    but with a beta of `SMOOTH_L1_BETA` instead of 1: a landmark offset of 1 is a tenth of the anchor's side, and a loss
    that is quadratic up to there has a small gradient long before the landmark is exact.
    """
    logits, box_offsets, landmark_offsets = outputs
    labels, boxes, landmarks = targets
    face = labels == FACE  # (N, A)
    cross_entropy = F.cross_entropy(logits.transpose(1, 2), labels.clamp(min=0), reduction="none")  # (N, A)
    counted = face | hard_negatives(cross_entropy.detach(), labels)
    faces = max(1.0, mean(face.sum().item()))
    offset_loss = functools.partial(F.smooth_l1_loss, reduction="sum", beta=SMOOTH_L1_BETA)
    class_loss = cross_entropy[counted].sum() / faces
    box_loss = offset_loss(box_offsets[face], boxes[face]) / faces
    known = landmarks[face].isfinite().all(dim=1)
    landmark_loss = offset_loss(landmark_offsets[face][known], landmarks[face][known])
    landmark_loss = landmark_loss / max(1.0, mean(known.sum().item()))
    return class_loss, box_loss, landmark_loss


def hard_negatives(loss: Tensor, labels: Tensor) -> Tensor:
    """(N, A) bool: in each scene the background anchors with the highest loss (N, A).

    They are `NEGATIVES_PER_POSITIVE` for each anchor on a face, at least `NEGATIVES_WITHOUT_POSITIVES`.
    """
    background = torch.where(labels == BACKGROUND, loss, -1.0)
    count = (NEGATIVES_PER_POSITIVE * (labels == FACE).sum(dim=1)).clamp(min=NEGATIVES_WITHOUT_POSITIVES)  # (N,)
    order = background.argsort(dim=1, descending=True).argsort(dim=1)
    return (order < count[:, None]) & (labels == BACKGROUND)
