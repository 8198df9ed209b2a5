"""The multi-task loss of RetinaFace: is it a face, where is its box, where are its landmarks.

In:  the network's three outputs; targets for every anchor, made by `match`.
Out: three scalars, to be summed (Deng et al. 2020, eq. 1, without the dense regression term).

Most anchors look at the background. Of those only the ones with the highest loss count, `NEGATIVES_PER_POSITIVE` for each anchor
on a face (hard-negative mining, Liu et al. 2016, SSD, section 2.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from retinaface.anchors import encode_boxes, encode_landmarks, iou

FACE, BACKGROUND, NEITHER = 1, 0, -1
FACE_IOU = 0.35  # an anchor that overlaps a face by more must find it; faces are small, so 0.5 would leave many out
IGNORE_SHARE = 0.4  # an anchor that lies with more of itself in an ignored region is neither face nor background
NEGATIVES_PER_POSITIVE = 7
NEGATIVES_WITHOUT_POSITIVES = 80  # hardest background anchors of a scene that shows no face
SMOOTH_L1_BETA = 0.2  # of the smooth L1: offsets that are off by less cost their square


@dataclass(frozen=True, eq=False)
class Targets:
    """What every anchor should say: kind (A,) int64, boxes (A, 4), landmarks (A, 10) float32, NaN where unknown."""

    kind: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray


def match(anchors: np.ndarray, boxes: np.ndarray, landmarks: np.ndarray, ignore: np.ndarray) -> Targets:
    """Targets of anchors (A, 4) cxcywh for faces: boxes (M, 4) xyxy, landmarks (M, 5, 2), ignored regions (K, 4).

    An anchor goes to the face it overlaps most, if by more than `FACE_IOU`; every face gets at least its best anchor.
    """
    kind = np.zeros(len(anchors), np.int64)
    box_offsets = np.zeros((len(anchors), 4), np.float32)
    landmark_offsets = np.full((len(anchors), 10), np.nan, np.float32)
    anchors_xyxy = np.concatenate([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2], axis=1)
    if len(ignore):
        kind[share_inside(anchors_xyxy, ignore).max(axis=1) > IGNORE_SHARE] = NEITHER
    if len(boxes):
        overlap = iou(anchors_xyxy, boxes)  # (A, M)
        best_anchor = overlap.argmax(axis=0)
        overlap[best_anchor, np.arange(len(boxes))] = 2  # more than any overlap: this anchor is that face's
        face = overlap.argmax(axis=1)
        on_face = np.flatnonzero(overlap.max(axis=1) > FACE_IOU)
        kind[on_face] = FACE
        box_offsets[on_face] = encode_boxes(boxes[face[on_face]], anchors[on_face])
        landmark_offsets[on_face] = encode_landmarks(landmarks[face[on_face]], anchors[on_face])
    return Targets(kind, box_offsets, landmark_offsets)


def share_inside(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """(A, K): how much of each box (A, 4) lies in each region (K, 4), 0 to 1."""
    top_left = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    bottom_right = np.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.clip(bottom_right - top_left, 0, None).prod(axis=2) / area[:, None]


def multi_task_loss(
    outputs: tuple[Tensor, Tensor, Tensor],
    kind: Tensor,
    boxes: Tensor,
    landmarks: Tensor,
    *,
    mean: Callable[[float], float] = float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Class, box and landmark loss of a batch.

    outputs: logits (N, A, 2), box offsets (N, A, 4), landmark offsets (N, A, 10).
    kind (N, A) int64, boxes (N, A, 4), landmarks (N, A, 10) float32: stacked `Targets`.
    mean: where several processes have a part of the batch each, the mean of a number over them; the mean of their
        losses is then that of the whole batch.
    Each is a mean over the anchors on faces that it concerns; smooth L1 for offsets, as in the paper, but bent at
    `SMOOTH_L1_BETA` and not at 1: for a landmark an offset of 1 is a tenth of the anchor's side, and a loss that is square up to
    there lets go long before the landmark is exact.
    """
    logits, box_offsets, landmark_offsets = outputs
    face = kind == FACE  # (N, A)
    cross_entropy = F.cross_entropy(logits.transpose(1, 2), kind.clamp(min=0), reduction="none")  # (N, A)
    counted = face | hard_negatives(cross_entropy.detach(), kind)
    faces = max(1.0, mean(face.sum().item()))
    class_loss = cross_entropy[counted].sum() / faces
    box_loss = offset_loss(box_offsets[face], boxes[face]) / faces
    known = landmarks[face].isfinite().all(dim=1)
    landmark_loss = offset_loss(landmark_offsets[face][known], landmarks[face][known])
    landmark_loss = landmark_loss / max(1.0, mean(known.sum().item()))
    return class_loss, box_loss, landmark_loss


def offset_loss(offsets: Tensor, wanted: Tensor) -> Tensor:
    """The sum over all numbers of the smooth L1 distance, bent at `SMOOTH_L1_BETA`."""
    return F.smooth_l1_loss(offsets, wanted, reduction="sum", beta=SMOOTH_L1_BETA)


def hard_negatives(loss: Tensor, kind: Tensor) -> Tensor:
    """(N, A) bool: in each scene the background anchors with the highest loss, a set number for each anchor on a face."""
    background = torch.where(kind == BACKGROUND, loss, -1.0)
    wanted = (NEGATIVES_PER_POSITIVE * (kind == FACE).sum(dim=1)).clamp(min=NEGATIVES_WITHOUT_POSITIVES)  # (N,)
    rank = background.argsort(dim=1, descending=True).argsort(dim=1)
    return (rank < wanted[:, None]) & (kind == BACKGROUND)
