"""Distillation: a network learns nothing from itself, and nothing where the teacher is wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from retinaface.anchors import anchors_for
from retinaface.network import RetinaFaceNetwork
from retinaface.training.distillation import (
    FEATURE_WEIGHT,
    NetworkWithFeatures,
    distillation_loss,
    feature_loss,
    logit_loss,
)
from retinaface.training.loss import BACKGROUND, FACE, IGNORED


@pytest.fixture
def view():
    """Features (six maps) and outputs, as of two pictures of 64 pixels, and the labels of their anchors."""
    torch.manual_seed(0)
    features = [torch.randn(2, 4, side, side) for side in (8, 4, 2, 8, 4, 2)]
    outputs = tuple(torch.randn(2, len(anchors_for((64, 64))), numbers) for numbers in (2, 4, 10))
    return features, outputs, torch.full(outputs[0].shape[:2], IGNORED)


def test_a_network_learns_nothing_from_itself_nor_from_other_boxes_and_landmarks(view):
    features, (logits, boxes, landmarks), labels = view
    teacher = logits, boxes + 1, landmarks + 1
    assert distillation_loss(
        (features, (logits, boxes, landmarks)), (features, teacher), labels
    ).item() == pytest.approx(0)


def test_other_features_cost_their_squared_distance_over_the_teachers_own_square(view):
    features, outputs, labels = view
    for row in range(6):  # of one map the distance is the teacher's own square, on faces and on background
        some = [2 * map_ if i == row else map_ for i, map_ in enumerate(features)]
        loss = distillation_loss((some, outputs), (features, outputs), labels).item()
        assert loss == pytest.approx(FEATURE_WEIGHT / 6, rel=1e-4)


def test_the_odds_loss_by_hand():
    own, teacher = torch.tensor([[4.0, -2.0, 0.0]]), torch.tensor([[8.0, -2.5, 6.0]])
    trusted = torch.tensor([[True, True, False]])
    weights = [1 / (1 + np.exp(-odds)) for odds in (8.0, -2.0)]  # the higher score
    expected = (weights[0] * (4 - 0.5) + weights[1] * 0.5**2 / 2) / sum(weights)  # smooth L1
    assert logit_loss(own, teacher, trusted).item() == pytest.approx(expected, rel=1e-5)


def test_a_sure_face_still_learns_to_be_surer():
    own = torch.tensor([[6.0]], requires_grad=True)
    logit_loss(own, torch.tensor([[9.0]]), torch.tensor([[True]])).backward()
    assert own.grad.item() == pytest.approx(-1)  # a cross-entropy's gradient would be -0.002 here


@pytest.mark.parametrize(("label", "teacher_odds"), [(BACKGROUND, 4.0), (FACE, -4.0)])
def test_a_teacher_that_contradicts_the_annotation_does_not_count(view, label, teacher_odds):
    features, outputs, labels = view
    wrong = outputs[0] + 1, outputs[1] + 1, outputs[2] + 1
    wrong[0][..., FACE], wrong[0][..., BACKGROUND] = teacher_odds, 0.0
    other = [map_ + 1 for map_ in features]
    assert distillation_loss((features, outputs), (other, wrong), labels.fill_(label)).item() == 0
    assert distillation_loss((features, outputs), (other, wrong), labels.fill_(IGNORED)).item() > 0.1


def test_faces_count_as_much_as_all_the_background(view):
    features, (logits, _, _), _ = view
    score = torch.zeros(logits.shape[:2])
    score[:, 0] = 1.0  # one of the two anchors of the first cell of the finest level
    trusted = torch.ones_like(score, dtype=torch.bool)

    def doubled(cells: slice) -> float:
        own = [map_.clone() for map_ in features]
        own[0].flatten(2)[:, :, cells] *= 2
        return feature_loss(own, features, score, trusted).item()

    assert doubled(slice(0, 1)) == pytest.approx(1 / 12)
    assert doubled(slice(1, None)) == pytest.approx(1 / 12)


def test_a_network_with_features_has_the_networks_outputs_and_all_levels():
    torch.manual_seed(0)
    network, x = RetinaFaceNetwork().eval(), torch.randn(2, 3, 64, 96)
    features, outputs = NetworkWithFeatures(network)(x)
    assert [tuple(level.shape[2:]) for level in features] == [(8, 12), (4, 6), (2, 3)] * 2
    for found, wanted in zip(outputs, network(x), strict=True):
        assert torch.equal(found, wanted)
