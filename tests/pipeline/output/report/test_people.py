"""Sums of one person, against numpy over all faces at once."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.output.report.people import Person, SeenFace, Totals


def test_totals_are_weighted_and_absorbing_is_adding(rng):
    rows, weights = rng.dirichlet(np.ones(4), 50), rng.random(50)
    whole, parts = Totals(4), [Totals(4), Totals(4)]
    for i, (row, weight) in enumerate(zip(rows, weights.tolist(), strict=True)):
        whole.add(row, weight)
        parts[i % 2].add(row, weight)
    parts[0].absorb(parts[1])
    for totals in (whole, parts[0]):
        shares = np.bincount(rows.argmax(axis=1), weights, minlength=4) / weights.sum()
        np.testing.assert_allclose(totals.shares, shares)
        np.testing.assert_allclose(totals.mean_probabilities, np.average(rows, axis=0, weights=weights))
        assert totals.mean_confidence == pytest.approx(np.average(rows.max(axis=1), weights=weights))
        assert totals.faces == 50
    assert (whole.people, parts[0].people) == (1, 2)


def test_nothing_seen_has_no_shares():
    totals = Totals(3)
    np.testing.assert_array_equal(totals.shares, np.zeros(3))
    assert totals.mean_confidence == 0


def test_a_heatmap_of_another_size_is_left_out(rng):
    person, maps = Person(1, 2, time_s=0.0, width=1.0), rng.random((2, 4, 4)).astype(np.float32)
    for heatmap in (maps[0], np.ones((8, 8), np.float32), maps[1], None):
        person.add_heat(SeenFace(1, np.array([1.0, 0.0]), heatmap, ("gradcam", 0)))
    person.add_heat(SeenFace(1, np.array([1.0, 0.0]), maps[0], None))
    ((key, (summed, count)),) = person.heat.items()
    assert (key, count) == (("gradcam", 0), 2)
    np.testing.assert_allclose(summed, maps.sum(axis=0))


def test_numbers_go_to_the_totals_and_the_timeline():
    person = Person(1, 2, time_s=0.0, width=1.0)
    person.add_numbers(np.array([0.25, 0.75]), start=2.0, weight=1.0)
    person.add_numbers(np.array([1.0, 0.0]), start=3.0, weight=0.5)
    np.testing.assert_allclose(person.timeline.sums[2:4], [[1, 0.25, 0.75], [0.5, 0.5, 0]])
    np.testing.assert_allclose(person.totals.shares, [1 / 3, 2 / 3])
