"""Numbers are a sequence in little memory; what stands among others is what `np.isin` says."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from support.columns.numbers import (
    CHUNK,
    Numbers,
    chunks,
    contained,
    in_both,
    repeated,
    rows_at,
    rows_in_parts,
)


@pytest.mark.parametrize("values", [[], [0, 0], [0, 3, 0, 255], [256], [1, 0, 2**16, 7], [0, 2**32, 5], [2**64 - 1, 0]])
def test_they_are_what_went_in_however_large(values):
    for numbers in (Numbers(values), Numbers.of(np.array(values, np.uint64))):
        assert len(numbers) == len(values)
        assert [numbers[row] for row in range(-len(values), len(values))] == values * 2
        assert numbers.array().tolist() == values
        assert numbers.rows(slice(None, None, -1)).array().tolist() == values[::-1]
        with pytest.raises(IndexError):
            numbers[len(values)]
        numbers.append(2)
        numbers.append(300)
        assert numbers.array().tolist() == [*values, 2, 300]


def test_they_take_as_many_bytes_as_they_need():
    def taken(values):
        tracemalloc.start()
        numbers = Numbers(values)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return held / len(numbers)

    assert 1 <= taken([1] * 10_000) < 1.3
    assert 2 <= taken([1, 999] * 5_000) < 2.5


def test_large_arrays_are_searched_as_numpy_does(rng):
    values = rng.integers(0, 2**64, 2 * CHUNK + 7, np.uint64)
    values[-50:] = values[:50]  # of two parts
    values[100:103] = values[99] + np.arange(1, 4, dtype=np.uint64)  # as float64 they would be equal
    others = np.concatenate([values[::1000], values[99:101], rng.integers(0, 2**64, 100, np.uint64)])
    found, shared = in_both(chunks(values), others)
    assert (found == np.isin(values, others)).all()
    assert (shared == np.intersect1d(values, others)).all()
    assert (contained(values, others) == found).all()
    assert not contained(values, values[:0]).any()
    assert contained(values[:0], values).tolist() == []
    assert np.flatnonzero(repeated(values)).tolist() == [*range(50), *range(len(values) - 50, len(values))]


def test_rows_are_those_that_an_array_would_give(rng):
    mask = rng.random(2 * CHUNK + 7) < 0.5
    assert np.concatenate(list(rows_in_parts(mask))).tolist() == np.flatnonzero(mask).tolist()
    for index in (slice(None, None, -3), slice(2, 4), mask, np.array([5, -1, 5]), np.array([], int)):
        assert rows_at(index, len(mask)).tolist() == np.arange(len(mask))[index].tolist()
    for outside in (-6, 5):
        with pytest.raises(IndexError):
            rows_at(np.array([0, outside]), 5)
