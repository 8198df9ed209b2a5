"""Following a teacher: nothing to learn from oneself, nothing from a teacher that is wrong."""

from __future__ import annotations

import pytest
import torch

from retinaface.follow import FLOOR, feature_loss, following_loss, score_loss
from retinaface.loss import FACE, GROUND, NEITHER
from retinaface.network import RetinaFaceNetwork


@pytest.fixture
def view():
    """Features (three levels of a 64-pixel picture) and answers of an untrained network, and its anchors' kinds."""
    torch.manual_seed(0)
    network = RetinaFaceNetwork().eval()
    with torch.no_grad():
        levels = network.context(torch.randn(2, 3, 64, 64))
        answers = network.answers(levels)
    return levels, answers, torch.full(answers[0].shape[:2], NEITHER)


def test_a_network_that_is_its_own_teacher_has_nothing_to_learn(view):
    levels, answers, kind = view
    assert following_loss(levels, answers, levels, answers, kind).item() == pytest.approx(0, abs=1e-9)


def test_other_features_cost_their_squared_distance_over_the_teachers_mean_square(view):
    levels, answers, kind = view
    doubled = [2 * level for level in levels]  # the distance is the teacher's own size
    for row in range(3):  # uniform scores: every cell weighs the same, so the ratio is exactly one a level
        answers[0][...] = 0
        some = [doubled[i] if i == row else levels[i] for i in range(3)]
        assert following_loss(some, answers, levels, answers, kind).item() == pytest.approx(1 / 3, rel=1e-4)


def test_the_score_loss_is_that_of_the_paper():
    logits = torch.tensor([[[0.0, 0.0], [0.0, 2.0]]])  # scores 0.5 and 0.881
    wanted = torch.tensor([[0.9, 0.2]])
    own = torch.tensor([0.5, 0.8807971])
    entropy = -(wanted[0] * own.log() + (1 - wanted[0]) * (1 - own).log())
    expected = ((own - wanted[0]).square() * entropy).sum() / max(1.0, wanted.sum().item())
    assert score_loss(logits, wanted, torch.ones(1, 2, dtype=torch.bool)).item() == pytest.approx(expected.item())


@pytest.mark.parametrize(("kind_is", "teacher_says"), [(GROUND, 4.0), (FACE, -4.0)])
def test_a_teacher_that_contradicts_the_annotation_is_not_followed(view, kind_is, teacher_says):
    levels, answers, kind = view
    wrong = answers[0].clone()
    wrong[..., FACE], wrong[..., GROUND] = teacher_says, 0.0
    teacher = (wrong, answers[1] + 1, answers[2])
    other = [level + 1 for level in levels]
    assert following_loss(levels, answers, other, teacher, kind.fill_(kind_is)).item() == 0
    assert following_loss(levels, answers, other, teacher, kind.fill_(NEITHER)).item() > 0.1


def test_the_gradient_brings_features_and_scores_nearer(view):
    levels, answers, kind = view
    teacher_levels = [level * 1.5 + 0.1 for level in levels]
    teacher = (answers[0] + torch.tensor([0.0, 3.0]), answers[1] + 0.5, answers[2])
    own = [level.clone().requires_grad_() for level in levels]
    logits, boxes = answers[0].clone().requires_grad_(), answers[1].clone().requires_grad_()
    loss = following_loss(own, (logits, boxes, answers[2]), teacher_levels, teacher, kind)
    gradients = torch.autograd.grad(loss, [*own, logits, boxes])
    step = [value - 0.1 * gradient for value, gradient in zip([*own, logits, boxes], gradients, strict=True)]
    assert following_loss(step[:3], (step[3], step[4], answers[2]), teacher_levels, teacher, kind) < loss


def test_a_cell_with_a_face_on_one_of_its_anchors_weighs_more_than_ground(view):
    levels, answers, _ = view
    score = torch.zeros(answers[0].shape[:2])
    score[:, 0] = 0.9  # one of the two anchors of the first cell
    trusted = torch.ones_like(score, dtype=torch.bool)

    def off_by_one(cell: int) -> float:
        own = [level.clone() for level in levels]
        own[0].flatten(2)[:, :, cell] += 1
        return feature_loss(own, levels, score, trusted).item()

    assert off_by_one(0) / off_by_one(5) == pytest.approx((FLOOR + 0.9) / FLOOR, rel=1e-4)
