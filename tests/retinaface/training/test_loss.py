"""The three losses: by hand, against torchvision, and shared between processes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torchvision

from retinaface.training.loss import (
    BY_HAND,
    SMALL,
    SMOOTH_L1_BETA,
    Targets,
    iou_and_giou,
    multi_task_loss,
)
from retinaface.training.matching import BACKGROUND, IGNORED

SIDE = 640


def random_boxes(count: int) -> torch.Tensor:
    corner = 50 * torch.rand(count, 2)
    return torch.cat([corner, corner + 5 + 40 * torch.rand(count, 2)], dim=1)


def test_overlaps_are_torchvisions():
    torch.manual_seed(0)
    a, b = random_boxes(200), random_boxes(200)
    overlap, generalised = iou_and_giou(a, b)
    torch.testing.assert_close(overlap, torchvision.ops.box_iou(a, b).diagonal(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(generalised, torchvision.ops.generalized_box_iou(a, b).diagonal(), rtol=1e-4, atol=1e-6)


def test_losses_by_hand():
    matched = torch.tensor([[0, BACKGROUND, IGNORED]])
    truth = torch.tensor([[[0.0, 0, 100, 100]]])
    points = torch.full((1, 1, 5, 2), 50.0)
    targets = Targets(matched, truth, points, torch.tensor([True]))
    sure = 0.5
    logits = torch.tensor([[sure, 0.0, 0.0]]).logit()
    logits[0, 1:] = torch.tensor([-1.0, 9.0])
    logits.requires_grad_()
    boxes = torch.tensor([[[0.0, 0, 100, 50], [0, 0, 1, 1], [0, 0, 1, 1]]])  # half of it
    landmarks = torch.full((1, 3, 5, 2), 60.0)  # a tenth of the face off
    quality, box, landmark = multi_task_loss((logits, boxes, landmarks), targets, side=SIDE)
    score = torch.sigmoid(torch.tensor(-1.0))
    expected = -torch.log(1 - score) * score**2  # the first has the score that its IoU wants; the third is ignored
    assert quality.item() == pytest.approx(expected.item(), rel=1e-4)
    assert box.item() == pytest.approx(
        sure * 0.5, rel=1e-4
    )  # 1 - GIoU, weighted by the score, over one anchor at least
    assert landmark.item() == pytest.approx(0.1 - SMOOTH_L1_BETA / 2, rel=1e-4)  # over the sum of weights, 3 * 0.5
    quality.backward()
    assert logits.grad[0, 2] == 0
    near = multi_task_loss((logits, boxes, points + 0.5), targets, side=SIDE)[2]  # the square where nearly right
    assert near.item() == pytest.approx(0.005**2 / (2 * SMOOTH_L1_BETA), rel=1e-3)


def test_each_loss_teaches_its_own_output_only():
    points = torch.full((1, 1, 5, 2), 50.0)
    targets = Targets(torch.tensor([[0]]), torch.tensor([[[0.0, 0, 100, 100]]]), points, torch.tensor([True]))
    outputs = (torch.tensor([[0.5]]), torch.tensor([[[0.0, 0, 100, 50]]]), points + 10)
    for output in outputs:
        output.requires_grad_()
    for loss, own in zip(multi_task_loss(outputs, targets, side=SIDE), outputs, strict=True):
        gradients = torch.autograd.grad(loss, outputs, retain_graph=True, allow_unused=True)
        assert [gradient is not None for gradient in gradients] == [output is own for output in outputs]


def test_the_score_is_taught_what_can_be_seen_of_the_box():
    truth = torch.tensor([[[0.0, -300, 640, 600]]])  # a face that reaches out of the window
    targets = Targets(torch.tensor([[0]]), truth, torch.full((1, 1, 5, 2), torch.nan), torch.tensor([True]))
    logits = torch.tensor([[1.0]])
    for top, bottom, wanted in ((0.0, 600.0, 1.0), (-50.0, 300.0, 0.5)):
        outputs = logits, torch.tensor([[[0.0, top, 640, bottom]]]), torch.zeros(1, 1, 5, 2)
        quality, box, _ = multi_task_loss(outputs, targets, side=SIDE)
        score = logits.sigmoid()
        entropy = torch.nn.functional.binary_cross_entropy(score, torch.tensor([[wanted]]))
        assert quality.item() == pytest.approx((entropy * (wanted - score) ** 2).item(), rel=1e-4)
        assert box.item() > 0.2  # the box itself is taught where it is


def test_landmarks_set_by_hand_count_more_and_those_of_small_faces_less():
    matched, truth = torch.zeros(2, 1, dtype=torch.int64), torch.tensor([[[0.0, 0, 90, 90]], [[0.0, 0, 16, 16]]])
    points = truth[:, :, None, :2].expand(2, 1, 5, 2)
    off = torch.tensor([0.1 * 90, 0.3 * 16])[:, None, None, None]  # a tenth and three tenths of the face
    targets = Targets(matched, truth, points, torch.tensor([True, False]))
    loss = multi_task_loss((torch.full((2, 1), 9.0), truth, points + off), targets, side=SIDE)[2]
    by_hand, small = BY_HAND, 16 / SMALL
    expected = (by_hand * 0.1 + small * 0.3) / (by_hand + small) - SMOOTH_L1_BETA / 2
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_landmarks_that_nobody_knows_ask_nothing():
    targets = Targets(
        torch.tensor([[0]]),
        torch.tensor([[[0.0, 0, 10, 10]]]),
        torch.full((1, 1, 5, 2), torch.nan),
        torch.tensor([True]),
    )
    landmarks = torch.ones(1, 1, 5, 2, requires_grad=True)
    loss = multi_task_loss((torch.zeros(1, 1), targets.boxes, landmarks), targets, side=SIDE)[2]
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(landmarks.grad).all()


def test_a_batch_without_faces_has_a_finite_loss():
    targets = Targets(
        torch.full((1, 9), BACKGROUND), torch.zeros(1, 4, 4), torch.full((1, 4, 5, 2), torch.nan), torch.tensor([True])
    )
    losses = multi_task_loss((torch.zeros(1, 9), torch.zeros(1, 9, 4), torch.zeros(1, 9, 5, 2)), targets, side=SIDE)
    assert losses[0].item() == pytest.approx(9 * 0.25 * 0.6931, rel=1e-3)
    assert losses[1].item() == losses[2].item() == 0


def test_the_losses_of_two_processes_are_on_average_those_of_the_whole_batch():
    torch.manual_seed(0)
    matched = torch.full((4, 60), BACKGROUND)
    matched[0, :9], matched[1, :2], matched[3, 5] = 0, 1, 0  # eleven anchors in the first half, one in the second
    boxes = random_boxes(8).unflatten(0, (4, 2))
    landmarks = 50 * torch.rand(4, 2, 5, 2)
    landmarks[1] = torch.nan
    by_hand = torch.tensor([True, False, False, True])
    targets = Targets(matched, boxes, landmarks, by_hand)
    outputs = torch.randn(4, 60), random_boxes(240).unflatten(0, (4, 60)), 50 * torch.rand(4, 60, 5, 2)
    sums: list[float] = []  # over the whole batch, by which the losses are divided

    def noted(value: float) -> float:
        sums.append(value)
        return value

    whole = multi_task_loss(outputs, targets, side=SIDE, mean=noted)
    halves = []
    for half in (slice(0, 2), slice(2, 4)):
        means = iter([value / 2 for value in sums])  # what the mean over the processes gives
        part = Targets(*(getattr(targets, field.name)[half] for field in dataclasses.fields(Targets)))
        mine = outputs[0][half], outputs[1][half], outputs[2][half]
        halves.append(multi_task_loss(mine, part, side=SIDE, mean=lambda _, means=means: next(means)))
    for both, *parts in zip(whole, *halves, strict=True):
        assert sum(parts).item() / 2 == pytest.approx(both.item(), rel=1e-5)


def test_landmarks_are_off_in_sizes_of_the_face_wherever_it_is_and_whatever_its_shape():
    truth = torch.tensor([[[300.0, 200, 400, 600]]])  # 100 x 400: a size of 200
    points = torch.full((1, 1, 5, 2), 350.0)
    targets = Targets(torch.tensor([[0]]), truth, points, torch.tensor([True]))
    loss = multi_task_loss((torch.full((1, 1), 9.0), truth, points + 20), targets, side=SIDE)[2]
    assert loss.item() == pytest.approx(0.1 - SMOOTH_L1_BETA / 2, rel=1e-4)
