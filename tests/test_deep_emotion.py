"""Deep-Emotion: the warp, the attended window, and heatmaps brought back into the crop, against numbers by hand.

Pixel j of S has its centre at (2 j + 1) / S - 1.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from models.networks.deep_emotion import DeepEmotion, at_pixels

IDENTITY = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
ZOOM = [[0.5, 0.0, 0.25], [0.0, 0.5, -0.5]]  # half the crop's side, centre 6 pixels to the right and 12 up
QUARTER_TURN = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]  # x_crop = -y_warped, y_crop = x_warped


@pytest.fixture
def deep_emotion() -> DeepEmotion:
    torch.manual_seed(0)
    return DeepEmotion(7).eval()


def fix_theta(network: DeepEmotion, theta: list) -> None:
    """Makes every picture's transform `theta`."""
    network.transformer.localisation[-1].bias.data = torch.tensor(theta).flatten()


def test_at_pixels_is_torch_affine_grid():
    theta = torch.randn(3, 2, 3)
    torch.testing.assert_close(at_pixels(theta), F.affine_grid(theta, (3, 1, 48, 48), align_corners=False))


def test_deep_emotion_starts_at_the_identity(deep_emotion):
    x = torch.randn(2, 1, 48, 48)
    assert torch.equal(deep_emotion.theta(x), torch.tensor(IDENTITY).expand(2, 2, 3))
    torch.testing.assert_close(deep_emotion.transformer(x), x, rtol=0, atol=1e-4)


def test_dropout_works_in_training_only(deep_emotion):
    x = torch.randn(2, 1, 48, 48)
    assert torch.equal(deep_emotion(x), deep_emotion(x))
    deep_emotion.train()
    assert not torch.equal(deep_emotion(x), deep_emotion(x))


@pytest.mark.parametrize("side", [9, 48])
def test_identity_leaves_heatmaps_where_they_are(deep_emotion, side):
    heatmaps = torch.rand(2, side, side)
    resized = F.interpolate(heatmaps[:, None], size=(48, 48), mode="bilinear", align_corners=False)[:, 0]
    in_crop = deep_emotion.to_crop_grid(heatmaps, torch.tensor(IDENTITY).expand(2, 2, 3))
    torch.testing.assert_close(in_crop, resized, rtol=0, atol=1e-4)


def test_zoom_and_shift_by_hand(deep_emotion):
    """The window covers crop columns 18 to 41 and rows 0 to 23: a 24x24 heatmap lies there pixel on pixel."""
    heatmap = torch.zeros(1, 24, 24)
    heatmap[0, 5, 7] = 1.0
    expected = torch.zeros(1, 48, 48)
    expected[0, 0 + 5, 18 + 7] = 1.0
    torch.testing.assert_close(deep_emotion.to_crop_grid(heatmap, torch.tensor([ZOOM])), expected, rtol=0, atol=1e-4)
    everywhere = deep_emotion.to_crop_grid(torch.ones(1, 24, 24), torch.tensor([ZOOM]))
    expected = torch.zeros(1, 48, 48)
    expected[0, 0:24, 18:42] = 1.0
    torch.testing.assert_close(everywhere, expected)


def test_quarter_turn_by_hand(deep_emotion):
    """Warped (x, y) = (column 5, row 0) comes from crop x = -y_0 = the last column, y = x_5 = row 5."""
    heatmap = torch.zeros(1, 48, 48)
    heatmap[0, 0, 5] = 1.0
    expected = torch.zeros(1, 48, 48)
    expected[0, 5, 47] = 1.0
    in_crop = deep_emotion.to_crop_grid(heatmap, torch.tensor([QUARTER_TURN]))
    torch.testing.assert_close(in_crop, expected, rtol=0, atol=1e-4)


def test_to_crop_grid_undoes_the_warp(deep_emotion):
    """A smooth crop, warped and brought back, is itself inside the window and 0 outside."""
    theta = torch.tensor([[0.6, 0.2, 0.1], [-0.15, 0.7, -0.1]])
    fix_theta(deep_emotion, theta.tolist())
    centres = (2 * torch.arange(48) + 1) / 48 - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    crop = (0.5 + 0.2 * torch.sin(2 * x + 1) + 0.2 * torch.cos(3 * y))[None, None]
    back = deep_emotion.to_crop_grid(deep_emotion.transformer(crop).detach()[:, 0], theta[None])[0]
    p = torch.linalg.solve(theta[:, :2], torch.stack([x - 0.1, y + 0.1]).flatten(1)).unflatten(1, (48, 48))
    inside, outside = (p.abs() < 0.95).all(dim=0), (p.abs() > 1.001).any(dim=0)
    assert inside.sum() > 300
    assert outside.sum() > 300
    torch.testing.assert_close(back[inside], crop[0, 0][inside], rtol=0, atol=0.005)
    assert not back[outside].any()


def test_attended_window_by_hand(deep_emotion):
    x = torch.randn(2, 1, 48, 48)
    clockwise = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    assert torch.equal(deep_emotion.attended_window(x), clockwise.expand(2, 4, 2))
    fix_theta(deep_emotion, ZOOM)
    expected = torch.tensor([[-0.25, -1.0], [0.75, -1.0], [0.75, 0.0], [-0.25, 0.0]])
    torch.testing.assert_close(deep_emotion.attended_window(x).detach(), expected.expand(2, 4, 2))


def test_geometry_of_no_faces_and_of_a_window_without_area(deep_emotion):
    assert deep_emotion.to_crop_grid(torch.zeros(0, 9, 9), torch.zeros(0, 2, 3)).shape == (0, 48, 48)
    assert deep_emotion.attended_window(torch.zeros(0, 1, 48, 48)).shape == (0, 4, 2)
    point, line = torch.zeros(2, 3), torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    assert not deep_emotion.to_crop_grid(torch.ones(2, 9, 9), torch.stack([point, line])).any()
