"""Maps of every class by every explainer: those of one class asked for at a time, and numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gradcam import EXPLAINERS, hooked_forward
from models.all_maps import AllMaps, all_maps
from support import UserError


@pytest.fixture
def passed():
    torch.manual_seed(0)
    above = nn.Flatten(), nn.Linear(2 * 3 * 3, 5), nn.Tanh(), nn.Linear(5, 4)
    network = nn.Sequential(nn.Conv2d(1, 2, 3, 2, 1), *above).requires_grad_(False)
    return hooked_forward(network, "0", torch.randn(3, 1, 6, 6))


def test_each_class_has_the_map_that_is_made_for_it_alone(passed):
    maps = all_maps(passed)
    assert maps.shape == (3, len(EXPLAINERS), 4, 3, 3)
    together = AllMaps(passed.logits.numpy(), maps.numpy(), passed.size_hw, passed.cells)
    for method in EXPLAINERS:
        for index in ([0, 1, 2], [3, 3, 0]):
            alone = passed.heatmaps(torch.tensor(index), method)
            np.testing.assert_allclose(together.heatmaps(np.array(index), method), alone, atol=1e-5)
        np.testing.assert_allclose(together.heatmaps(method=method), passed.heatmaps(method=method), atol=1e-5)


def test_no_rows_have_no_maps(passed):
    together = AllMaps(passed.logits.numpy()[:0], all_maps(passed).numpy()[:0], passed.size_hw, passed.cells)
    assert together.heatmaps(2).shape == (0, 6, 6)


def test_a_map_is_scaled_by_its_own_maximum_and_enlarged():
    maps = np.zeros((1, len(EXPLAINERS), 2, 1, 2), np.float32)
    maps[0, list(EXPLAINERS).index("hirescam"), 1] = [[2, 8]]
    together = AllMaps(np.zeros((1, 2), np.float32), maps, (1, 2), None)
    np.testing.assert_array_equal(together.heatmaps(1, "hirescam"), [[[0.25, 1]]])
    assert not together.heatmaps(0, "hirescam").any()


def test_what_it_does_not_know_is_refused(passed):
    together = AllMaps(passed.logits.numpy(), all_maps(passed).numpy(), passed.size_hw, passed.cells)
    with pytest.raises(UserError, match="hooked_forward"):
        together.heatmaps(0, score=lambda logits: logits[:, 0])
    with pytest.raises(IndexError):
        together.heatmaps(4)
    with pytest.raises(UserError, match="NaN"):
        AllMaps(np.full((3, 4), np.nan), together.activation, (6, 6), None).heatmaps(0)
