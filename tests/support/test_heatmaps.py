"""Heatmaps as pictures, without a network. Blending and enlarging are tested in tests/test_gradcam.py."""

from __future__ import annotations

import numpy as np
import torch

from support.heatmaps import enlarge, to_unit_range


def test_each_map_is_divided_by_its_own_maximum():
    maps = np.array([[[0.0, 2.0]], [[0.0, 0.0]], [[3.0, 1.5]]], np.float32)
    wanted = [[[0, 1]], [[0, 0]], [[1, 0.5]]]
    assert to_unit_range(maps).tolist() == wanted
    assert to_unit_range(torch.from_numpy(maps)).tolist() == wanted


def test_one_cell_is_level_everywhere():
    assert (enlarge(np.ones((1, 1, 1), np.float32), (4, 6)) == 1).all()
    assert (enlarge(np.ones((1, 1, 1), np.float32), (4, 6), (0, 32)) == 1).all()
