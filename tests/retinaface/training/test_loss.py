"""Which anchor is on which face, and the three losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from retinaface.anchors import anchors_for, decode_boxes, decode_landmarks
from retinaface.training.loss import (
    BACKGROUND,
    FACE,
    IGNORED,
    NEGATIVES_PER_POSITIVE,
    NEGATIVES_WITHOUT_POSITIVES,
    SMOOTH_L1_BETA,
    hard_negatives,
    match_anchors,
    multi_task_loss,
    share_inside,
)

ANCHORS = anchors_for((128, 128))
NO_LANDMARKS = np.full((1, 5, 2), np.nan, np.float32)
NOTHING = np.empty((0, 4), np.float32)


def test_offsets_decode_to_the_matched_face(rng):
    boxes = np.array([[20, 20, 50, 58], [70, 60, 120, 124]], np.float32)
    landmarks = rng.uniform(20, 110, (2, 5, 2)).astype(np.float32)
    labels, box_offsets, landmark_offsets = match_anchors(ANCHORS, boxes, landmarks, NOTHING)
    on_face = labels == FACE
    decoded = decode_boxes(box_offsets[on_face], ANCHORS[on_face])
    face = np.abs(decoded[:, None] - boxes[None]).sum(axis=2).argmin(axis=1)
    np.testing.assert_allclose(decoded, boxes[face], atol=1e-3)
    np.testing.assert_allclose(
        decode_landmarks(landmark_offsets[on_face], ANCHORS[on_face]), landmarks[face], atol=1e-3
    )
    assert set(face) == {0, 1}


def test_every_face_gets_an_anchor_however_small():
    labels, _, _ = match_anchors(ANCHORS, np.array([[33, 33, 36, 36]], np.float32), NO_LANDMARKS, NOTHING)
    assert (labels == FACE).sum() == 1


def test_anchors_in_an_ignored_region_are_ignored_but_a_face_there_stays_one():
    region = np.array([[0, 0, 64, 64]], np.float32)
    empty, _, _ = match_anchors(ANCHORS, NOTHING, NO_LANDMARKS[:0], region)
    inside = (ANCHORS[:, :2] < 56).all(axis=1) & (ANCHORS[:, 2] == 16)
    assert (empty[inside] == IGNORED).all()
    assert (empty[(ANCHORS[:, :2] > 80).all(axis=1) & (ANCHORS[:, 2] <= 32)] == BACKGROUND).all()
    with_face, _, _ = match_anchors(ANCHORS, np.array([[20, 20, 36, 36]], np.float32), NO_LANDMARKS, region)
    assert (with_face == FACE).any()


def test_share_inside_by_hand():
    assert share_inside(np.array([[0, 0, 10, 10]]), np.array([[5, 0, 20, 10], [20, 20, 30, 30]])).tolist() == [[0.5, 0]]


def test_loss_by_hand():
    labels = torch.tensor([[FACE, BACKGROUND, IGNORED]])
    logits = torch.tensor([[[0.0, 2.0], [1.0, 0.0], [0.0, 9.0]]], requires_grad=True)
    boxes, landmarks = torch.zeros(1, 3, 4), torch.full((1, 3, 10), torch.nan)
    outputs = (logits, torch.full((1, 3, 4), 0.5), torch.ones(1, 3, 10))
    class_loss, box_loss, landmark_loss = multi_task_loss(outputs, (labels, boxes, landmarks))
    expected = np.log(1 + np.exp(-2)) + np.log(1 + np.exp(-1))  # the ignored anchor's confident error costs nothing
    assert class_loss.item() == pytest.approx(expected, rel=1e-5)
    assert box_loss.item() == pytest.approx(4 * (0.5 - 0.1))  # smooth L1 above SMOOTH_L1_BETA: d - SMOOTH_L1_BETA / 2
    assert landmark_loss.item() == 0  # unknown landmarks ask nothing
    class_loss.backward()
    assert logits.grad[0, 2].abs().sum() == 0


def test_the_losses_of_two_processes_are_on_average_those_of_the_whole_batch():
    torch.manual_seed(0)
    outputs = torch.randn(4, 60, 2), torch.randn(4, 60, 4), torch.randn(4, 60, 10)
    labels = torch.zeros(4, 60, dtype=torch.int64)
    labels[0, :9], labels[1, :2], labels[3, 5] = FACE, FACE, FACE  # eleven faces in the first half, one in the second
    boxes, landmarks = torch.randn(4, 60, 4), torch.randn(4, 60, 10)
    landmarks[1] = torch.nan  # nine and one with landmarks
    whole = multi_task_loss(outputs, (labels, boxes, landmarks))
    halves = []
    for half in (slice(0, 2), slice(2, 4)):
        counts = iter((12 / 2, 10 / 2))  # what the mean over the processes gives: faces, faces with landmarks
        part, wanted = (
            (outputs[0][half], outputs[1][half], outputs[2][half]),
            (labels[half], boxes[half], landmarks[half]),
        )
        halves.append(multi_task_loss(part, wanted, mean=lambda _, counts=counts: next(counts)))
    for both, *parts in zip(whole, *halves, strict=True):
        assert sum(parts).item() / 2 == pytest.approx(both.item(), rel=1e-5)


def test_offsets_count_linearly_when_far_and_cost_their_square_when_nearly_right():
    labels = torch.tensor([[FACE]])
    outputs = (torch.zeros(1, 1, 2), torch.full((1, 1, 4), 0.1), torch.full((1, 1, 10), 3.0))
    _, boxes, landmarks = multi_task_loss(outputs, (labels, torch.zeros(1, 1, 4), torch.zeros(1, 1, 10)))
    assert boxes.item() == pytest.approx(4 * 0.1**2 / (2 * SMOOTH_L1_BETA))
    assert landmarks.item() == pytest.approx(10 * (3 - SMOOTH_L1_BETA / 2))


def test_only_hard_negatives_count():
    labels = torch.zeros(2, 100, dtype=torch.int64)
    labels[0, :12] = FACE
    loss = torch.arange(100.0).repeat(2, 1)
    counted = hard_negatives(loss, labels)
    assert counted.sum(dim=1).tolist() == [12 * NEGATIVES_PER_POSITIVE, NEGATIVES_WITHOUT_POSITIVES]
    assert counted[0, 100 - 12 * NEGATIVES_PER_POSITIVE :].all()
    assert counted[1, 100 - NEGATIVES_WITHOUT_POSITIVES :].all()


def test_a_batch_without_faces_has_a_finite_loss():
    outputs = (torch.zeros(1, 9, 2), torch.zeros(1, 9, 4), torch.zeros(1, 9, 10))
    losses = multi_task_loss(outputs, (torch.zeros(1, 9, dtype=torch.int64), *outputs[1:]))
    assert all(torch.isfinite(loss) for loss in losses)
