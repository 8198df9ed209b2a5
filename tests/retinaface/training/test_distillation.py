"""Following a teacher: nothing to learn from oneself, nothing from a teacher that is wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from retinaface.anchors import anchors_for
from retinaface.training.distillation import FEATURES, distillation_loss, feature_loss, log_odds, logit_loss
from retinaface.training.loss import BACKGROUND, FACE, NEITHER


@pytest.fixture
def view():
    """Features (six maps) and the three answers, as of two pictures of 64 pixels, and the kinds of its anchors."""
    torch.manual_seed(0)
    features = [torch.randn(2, 4, side, side) for side in (8, 4, 2, 8, 4, 2)]
    outputs = tuple(torch.randn(2, len(anchors_for((64, 64))), numbers) for numbers in (2, 4, 10))
    return features, outputs, torch.full(outputs[0].shape[:2], NEITHER)


def test_a_network_that_is_its_own_teacher_has_nothing_to_learn(view):
    features, outputs, kind = view
    assert distillation_loss(features, outputs, features, outputs, kind).item() == pytest.approx(0, abs=1e-9)


def test_the_teachers_boxes_and_landmarks_are_not_followed(view):
    features, (logits, boxes, landmarks), kind = view
    teacher = logits, boxes + 1, landmarks + 1
    assert distillation_loss(features, (logits, boxes, landmarks), features, teacher, kind).item() == pytest.approx(0)


def test_other_features_cost_their_squared_distance_over_the_teachers_own_square(view):
    features, outputs, kind = view
    for row in range(
        6
    ):  # doubled, the distance is the teacher's own size: 1 on faces, 1 on background, of one map of six
        some = [2 * map_ if i == row else map_ for i, map_ in enumerate(features)]
        loss = distillation_loss(some, outputs, features, outputs, kind).item()
        assert loss == pytest.approx(FEATURES / 6, rel=1e-4)


def test_log_odds_are_those_of_the_score():
    logits = torch.tensor([[[0.3, 2.0], [1.0, -1.0]]])
    score = logits.softmax(dim=-1)[..., FACE]
    torch.testing.assert_close(log_odds(logits), torch.log(score / (1 - score)))


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


@pytest.mark.parametrize(("kind_is", "teacher_says"), [(BACKGROUND, 4.0), (FACE, -4.0)])
def test_a_teacher_that_contradicts_the_annotation_is_not_followed(view, kind_is, teacher_says):
    features, outputs, kind = view
    wrong = [answer + 1 for answer in outputs]
    wrong[0][..., FACE], wrong[0][..., BACKGROUND] = teacher_says, 0.0
    other = [map_ + 1 for map_ in features]
    assert distillation_loss(features, outputs, other, wrong, kind.fill_(kind_is)).item() == 0
    assert distillation_loss(features, outputs, other, wrong, kind.fill_(NEITHER)).item() > 0.1


def test_the_gradient_brings_features_and_scores_nearer(view):
    features, (logits, boxes, landmarks), kind = view
    teacher = [map_ * 1.5 + 0.1 for map_ in features], (logits + torch.tensor([0.0, 3.0]), boxes, landmarks)
    own = [value.clone().requires_grad_() for value in (*features, logits)]

    def loss(values: list[torch.Tensor]) -> torch.Tensor:
        return distillation_loss(values[:-1], (values[-1], boxes, landmarks), *teacher, kind)

    gradients = torch.autograd.grad(loss(own), own)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)
    step = [value - 0.01 * gradient for value, gradient in zip(own, gradients, strict=True)]
    assert loss(step) < loss(own)


def test_faces_weigh_as_much_as_all_the_ground(view):
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
