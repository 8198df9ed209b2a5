"""Following a teacher: nothing to learn from oneself, nothing from a teacher that is wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from retinaface.follow import FLOOR, feature_loss, following_loss, log_odds, odds_loss
from retinaface.loss import FACE, GROUND, NEITHER
from retinaface.network import RetinaFaceNetwork


@pytest.fixture
def view():
    """Features (three levels of a 64-pixel picture) and logits of an untrained network, and its anchors' kinds."""
    torch.manual_seed(0)
    network = RetinaFaceNetwork().eval()
    with torch.no_grad():
        levels = network.context(torch.randn(2, 3, 64, 64))
        logits = network.answers(levels)[0]
    return levels, logits, torch.full(logits.shape[:2], NEITHER)


def test_a_network_that_is_its_own_teacher_has_nothing_to_learn(view):
    levels, logits, kind = view
    assert following_loss(levels, logits, levels, logits, kind).item() == pytest.approx(0, abs=1e-9)


def test_other_features_cost_their_squared_distance_over_the_teachers_mean_square(view):
    levels, logits, kind = view
    doubled = [2 * level for level in levels]  # the distance is the teacher's own size
    for row in range(3):  # uniform scores: every cell weighs the same, so the ratio is exactly one a level
        logits[...] = 0
        some = [doubled[i] if i == row else levels[i] for i in range(3)]
        assert following_loss(some, logits, levels, logits, kind).item() == pytest.approx(1 / 3, rel=1e-4)


def test_log_odds_are_those_of_the_score():
    logits = torch.tensor([[[0.3, 2.0], [1.0, -1.0]]])
    score = logits.softmax(dim=-1)[..., FACE]
    torch.testing.assert_close(log_odds(logits), torch.log(score / (1 - score)))


def test_the_odds_loss_by_hand():
    own, teacher = torch.tensor([[4.0, -2.0, 0.0]]), torch.tensor([[8.0, -2.5, 6.0]])
    trusted = torch.tensor([[True, True, False]])
    weights = [np.sqrt(1 / (1 + np.exp(-odds))) for odds in (8.0, -2.0)]  # the root of the higher score
    expected = (weights[0] * (4 - 0.5) + weights[1] * 0.5**2 / 2) / sum(weights)  # smooth L1
    assert odds_loss(own, teacher, trusted).item() == pytest.approx(expected, rel=1e-5)


def test_a_sure_face_still_learns_to_be_surer():
    own = torch.tensor([[6.0]], requires_grad=True)
    odds_loss(own, torch.tensor([[9.0]]), torch.tensor([[True]])).backward()
    assert own.grad.item() == pytest.approx(-1)  # a cross-entropy's gradient would be -0.002 here


@pytest.mark.parametrize(("kind_is", "teacher_says"), [(GROUND, 4.0), (FACE, -4.0)])
def test_a_teacher_that_contradicts_the_annotation_is_not_followed(view, kind_is, teacher_says):
    levels, logits, kind = view
    wrong = logits.clone()
    wrong[..., FACE], wrong[..., GROUND] = teacher_says, 0.0
    other = [level + 1 for level in levels]
    assert following_loss(levels, logits, other, wrong, kind.fill_(kind_is)).item() == 0
    assert following_loss(levels, logits, other, wrong, kind.fill_(NEITHER)).item() > 0.1


def test_the_gradient_brings_features_and_scores_nearer(view):
    levels, logits, kind = view
    teacher = [level * 1.5 + 0.1 for level in levels], logits + torch.tensor([0.0, 3.0])
    own = [value.clone().requires_grad_() for value in (*levels, logits)]
    loss = following_loss(own[:3], own[3], *teacher, kind)
    gradients = torch.autograd.grad(loss, own)
    step = [value - 0.1 * gradient for value, gradient in zip(own, gradients, strict=True)]
    assert following_loss(step[:3], step[3], *teacher, kind) < loss


def test_a_cell_with_a_face_on_one_of_its_anchors_weighs_more_than_ground(view):
    levels, logits, _ = view
    score = torch.zeros(logits.shape[:2])
    score[:, 0] = 0.9  # one of the two anchors of the first cell
    trusted = torch.ones_like(score, dtype=torch.bool)

    def off_by_one(cell: int) -> float:
        own = [level.clone() for level in levels]
        own[0].flatten(2)[:, :, cell] += 1
        return feature_loss(own, levels, score, trusted).item()

    assert off_by_one(0) / off_by_one(5) == pytest.approx((FLOOR + 0.9) / FLOOR, rel=1e-4)
