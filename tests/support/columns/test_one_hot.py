"""One-hot rows that are not made are the same as those that are."""

from __future__ import annotations

import numpy as np
import pytest

from support.columns import one_hot as module
from support.columns.one_hot import OneHot, one_hot, take, weighted_mean

LABELS = np.array([2, 0, 1, 1, 2])
MADE = np.eye(3, dtype=np.float32)[LABELS]


@pytest.fixture
def lazy(monkeypatch) -> OneHot:
    monkeypatch.setattr(module, "DENSE", 10)
    made = one_hot(LABELS, 3)
    assert isinstance(made, OneHot)
    return made


def test_small_ones_are_arrays():
    np.testing.assert_array_equal(one_hot(LABELS, 3), MADE)
    assert isinstance(one_hot(LABELS, 3), np.ndarray)


@pytest.mark.parametrize("index", [slice(1, 4), np.array([4, 0]), [1, 2], 3, (np.arange(2), np.array([2, 2])), (3, 1),
                                   (slice(None), 2)])  # fmt: skip
def test_an_index_gives_what_it_gives_of_an_array(lazy, index):
    found = lazy[index]
    np.testing.assert_array_equal(found, MADE[index])
    assert found.dtype == np.float32


def test_parts_means_and_arrays(lazy):
    assert lazy.shape == MADE.shape
    assert len(lazy) == 5
    part = take(lazy, np.array([4, 2]))
    assert isinstance(part, OneHot)
    np.testing.assert_array_equal(np.asarray(part), take(MADE, np.array([4, 2])))
    np.testing.assert_array_equal(lazy.argmax(axis=1), MADE.argmax(axis=1))
    for axis in (0, 1):
        np.testing.assert_array_equal(lazy.sum(axis=axis), MADE.sum(axis=axis))
    assert lazy.sum(axis=0, dtype=np.float64).dtype == np.float64
    weights = np.array([1.0, 2.0, 0.5, 0.25, 3.0])
    np.testing.assert_allclose(weighted_mean(lazy, weights), weighted_mean(MADE, weights))
    np.testing.assert_allclose(weighted_mean(MADE, weights), weights @ MADE / weights.sum())
