"""Deep-Emotion: the warp, the attended window, and heatmaps brought back into the crop, against numbers by hand.

Pixel j of S has its centre at (2 j + 1) / S - 1.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.checkpoint import Checkpoint
from models.classifier import Classifier
from models.engines import TorchEngine
from models.networks.deep_emotion import DeepEmotion, at_pixels, attended_window, to_crop_grid
from models.spec import find_spec

IDENTITY = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
ZOOM = [[0.5, 0.0, 0.25], [0.0, 0.5, -0.5]]  # half the crop's side, centre 6 pixels to the right and 12 up
ZOOM_WINDOW = [[17.5, -0.5], [41.5, -0.5], [41.5, 23.5], [17.5, 23.5]]  # columns 18 to 41, rows 0 to 23
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
    theta = deep_emotion.transformer.localisation(x)
    assert torch.equal(theta.view(2, 2, 3), torch.tensor(IDENTITY).expand(2, 2, 3))
    torch.testing.assert_close(deep_emotion.transformer(x), x, rtol=0, atol=1e-4)


@pytest.mark.parametrize("side", [9, 48])
def test_identity_leaves_heatmaps_where_they_are(side):
    heatmaps = torch.rand(2, side, side)
    resized = F.interpolate(heatmaps[:, None], size=(48, 48), mode="bilinear", align_corners=False)[:, 0]
    in_crop = to_crop_grid(heatmaps, torch.tensor(IDENTITY).expand(2, 2, 3))
    torch.testing.assert_close(in_crop, resized, rtol=0, atol=1e-4)


def test_zoom_and_shift_by_hand():
    """The window covers crop columns 18 to 41 and rows 0 to 23: a 24x24 heatmap lies there pixel on pixel."""
    heatmap = torch.zeros(1, 24, 24)
    heatmap[0, 5, 7] = 1.0
    expected = torch.zeros(1, 48, 48)
    expected[0, 0 + 5, 18 + 7] = 1.0
    torch.testing.assert_close(to_crop_grid(heatmap, torch.tensor([ZOOM])), expected, rtol=0, atol=1e-4)
    everywhere = to_crop_grid(torch.ones(1, 24, 24), torch.tensor([ZOOM]))
    expected = torch.zeros(1, 48, 48)
    expected[0, 0:24, 18:42] = 1.0
    torch.testing.assert_close(everywhere, expected)


def test_quarter_turn_by_hand():
    """Warped (x, y) = (column 5, row 0) comes from crop x = -y_0 = the last column, y = x_5 = row 5."""
    heatmap = torch.zeros(1, 48, 48)
    heatmap[0, 0, 5] = 1.0
    expected = torch.zeros(1, 48, 48)
    expected[0, 5, 47] = 1.0
    in_crop = to_crop_grid(heatmap, torch.tensor([QUARTER_TURN]))
    torch.testing.assert_close(in_crop, expected, rtol=0, atol=1e-4)


def test_to_crop_grid_undoes_the_warp(deep_emotion):
    """A smooth crop, warped and brought back, is itself inside the window and 0 outside."""
    theta = torch.tensor([[0.6, 0.2, 0.1], [-0.15, 0.7, -0.1]])
    fix_theta(deep_emotion, theta.tolist())
    centres = (2 * torch.arange(48) + 1) / 48 - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    crop = (0.5 + 0.2 * torch.sin(2 * x + 1) + 0.2 * torch.cos(3 * y))[None, None]
    back = to_crop_grid(deep_emotion.transformer(crop).detach()[:, 0], theta[None])[0]
    p = torch.linalg.solve(theta[:, :2], torch.stack([x - 0.1, y + 0.1]).flatten(1)).unflatten(1, (48, 48))
    inside, outside = (p.abs() < 0.95).all(dim=0), (p.abs() > 1.001).any(dim=0)
    assert inside.sum() > 300
    assert outside.sum() > 300
    torch.testing.assert_close(back[inside], crop[0, 0][inside], rtol=0, atol=0.005)
    assert not back[outside].any()


def test_attended_window_by_hand():
    clockwise = [[-0.5, -0.5], [47.5, -0.5], [47.5, 47.5], [-0.5, 47.5]]
    found = attended_window(torch.tensor([IDENTITY, ZOOM, QUARTER_TURN]))
    turned = [clockwise[1], clockwise[2], clockwise[3], clockwise[0]]  # its top left is the crop's top right
    torch.testing.assert_close(found, torch.tensor([clockwise, ZOOM_WINDOW, turned]))
    assert torch.equal(attended_window(torch.tensor([ZOOM]).flatten(1)), found[1:2])  # as the network gives it


class OneCell(nn.Module):
    """Features (N, 10, 9, 9) of nothing but the cell in row 2, column 6."""

    def forward(self, x):
        heat = x.new_zeros(len(x), 10, 9, 9)
        heat[:, :, 2, 6] = 1.0
        return heat


@pytest.mark.parametrize("method", ["attention", "hirescam"])
def test_a_peak_of_the_warped_picture_is_explained_at_its_place_in_the_crop(deep_emotion, rng, method):
    """The cell looks at row 15.5, column 31.5 of the warped picture (7.5 + 4 i), pixels which are half a crop's pixel:
    row 16 / 2 - 0.5 = 7.5, column 18 + 32 / 2 - 0.5 = 33.5. Heat falls to 0 at the next cells, 2 pixels on."""
    spec, looked = find_spec("deep_emotion"), []
    fix_theta(deep_emotion, ZOOM)
    deep_emotion.features = OneCell()
    deep_emotion.fc1.weight.data.abs_()
    deep_emotion.fc2.weight.data.abs_()  # so the cell speaks for every class
    deep_emotion.transformer.localisation.register_forward_hook(lambda *_: looked.append(1))
    looks = {"layer": spec.explain_layer, "cells": spec.cells, "warp": spec.warp}
    engine = TorchEngine(deep_emotion, spec.preprocess, device="cpu", **looks)
    found = engine.forward(rng.integers(0, 256, (2, 60, 60, 3), dtype=np.uint8))
    heatmaps = found.heatmaps(method=method)
    assert looked == [1]  # one pass
    side = np.array([0, 0.25, 0.75, 0.75, 0.25, 0])  # 0.5 and 1.5 of 2 pixels from the cell's middle
    expected = np.zeros((48, 48))
    expected[5:11, 31:37] = np.outer(side, side)
    np.testing.assert_allclose(heatmaps, [expected, expected], atol=1e-4)
    for heat in heatmaps.numpy():
        rows, columns = np.mgrid[:48, :48]
        assert ((heat * rows).sum() / heat.sum(), (heat * columns).sum() / heat.sum()) == pytest.approx((7.5, 33.5))
        assert not heat[(abs(rows - 7.5) > 2.5) | (abs(columns - 33.5) > 2.5)].any()
    np.testing.assert_allclose(found.windows, [ZOOM_WINDOW] * 2, atol=1e-4)


def test_a_classifier_gives_the_window_and_no_heat_outside_it(deep_emotion, rng):
    spec = find_spec("deep_emotion")
    fix_theta(deep_emotion, ZOOM)
    weights = {**deep_emotion.state_dict()}
    classifier = Classifier(Checkpoint("deep_emotion", tuple("abcdefg"), spec.preprocess, weights))
    crops = rng.integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    prediction = classifier.forward(crops)
    heatmaps = prediction.heatmaps(method="attention")
    np.testing.assert_allclose(prediction.windows, [ZOOM_WINDOW] * 3, atol=1e-4)
    inside = np.zeros((48, 48), bool)
    inside[:24, 18:42] = True
    assert not heatmaps[:, ~inside].any()
    assert (heatmaps[:, inside].max(axis=1) > 0.8).all()
    assert classifier.forward(crops[:0]).windows.shape == (0, 4, 2)
    np.testing.assert_allclose(classifier.forward(crops, tta=True).windows, prediction.windows)


def test_geometry_of_no_faces_and_of_a_window_without_area():
    assert to_crop_grid(torch.zeros(0, 9, 9), torch.zeros(0, 6)).shape == (0, 48, 48)
    assert attended_window(torch.zeros(0, 6)).shape == (0, 4, 2)
    point, line = torch.zeros(2, 3), torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    assert not to_crop_grid(torch.ones(2, 9, 9), torch.stack([point, line])).any()
