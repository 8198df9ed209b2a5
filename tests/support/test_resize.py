"""Resizing as a matrix, against torch's interpolation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from support.resize import resizing


@pytest.mark.parametrize("sides", [(6, 48), (7, 224), (48, 48), (31, 48), (60, 48), (97, 48), (300, 224)])
def test_it_is_torchs_bilinear_interpolation_with_antialias(rng, sides):
    inputs, outputs = sides
    maps = rng.random((3, inputs, inputs), np.float32)
    matrix = resizing(inputs, outputs)
    wanted = F.interpolate(torch.from_numpy(maps)[:, None], (outputs, outputs), mode="bilinear", antialias=True)[:, 0]
    np.testing.assert_allclose(matrix @ maps @ matrix.T, wanted, atol=1e-6)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)


def test_by_hand():
    np.testing.assert_allclose(resizing(2, 4), [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    np.testing.assert_allclose(resizing(4, 2), [[3 / 7, 3 / 7, 1 / 7, 0], [0, 1 / 7, 3 / 7, 3 / 7]])


def test_it_is_remembered_and_cannot_be_spoilt():
    assert resizing(5, 9) is resizing(5, 9)
    with pytest.raises(ValueError, match="read-only"):
        resizing(5, 9)[0, 0] = 2
