"""Means and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.means import mean_of


def test_the_interval_is_the_normal_one_for_many_values(rng):
    values = rng.normal(3, 2, 400)
    found = mean_of(values)
    assert found["mean"] == pytest.approx(values.mean())
    assert found["n"] == 400
    half = 1.96 * values.std() / 20
    np.testing.assert_allclose(found["interval"], [values.mean() - half, values.mean() + half], atol=0.15 * half)


def test_equal_values_have_no_width_and_the_same_call_gives_the_same():
    assert mean_of(np.ones(3))["interval"] == [1, 1]
    assert mean_of(np.array([True, False]))["mean"] == 0.5
    assert mean_of(np.arange(9)) == mean_of(np.arange(9))
