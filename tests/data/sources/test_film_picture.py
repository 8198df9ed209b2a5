"""Turning a decoded picture upright: every display matrix against its own definition."""

import itertools

import numpy as np
import pytest

from data.sources.film_picture import upright

IMAGE = np.arange(6 * 4).reshape(4, 6, 1)
MATRICES = [((a, 0), (0, d)) for a, d in itertools.product((1, -1), repeat=2)]
MATRICES += [((0, b), (c, 0)) for b, c in itertools.product((1, -1), repeat=2)]


@pytest.mark.parametrize("matrix", MATRICES)
def test_every_pixel_goes_where_the_matrix_says(matrix):
    """(column, row) stored @ matrix = (column, row) shown, shifted so that the smallest is 0."""
    stored = np.array([(column, row) for row in range(4) for column in range(6)])
    shown = stored @ np.array(matrix)
    shown -= shown.min(axis=0)
    turned = upright(IMAGE, 65_536 * np.array(matrix, np.int32))
    assert turned.shape[:2] == (shown[:, 1].max() + 1, shown[:, 0].max() + 1)
    for (column, row), (new_column, new_row) in zip(stored, shown, strict=True):
        assert turned[new_row, new_column] == IMAGE[row, column]


def test_without_a_matrix_the_picture_stays():
    assert upright(IMAGE, None) is IMAGE
