"""The strongest moments, against a search through all of them."""

from __future__ import annotations

import numpy as np

from pipeline.output.report.moments import APART_S, MOST, Strongest


def test_peaks_of_a_film_are_found_and_apart(rng):
    times = np.arange(3000) / 30
    peaks = {10.0: 0.9, 40.0: 0.99, 70.0: 0.8, 90.0: 0.6}
    probability = 0.1 + sum((p - 0.1) * np.exp(-((times - t) ** 2)) for t, p in peaks.items())
    strongest = Strongest()
    for p, t in zip(probability.tolist(), times.tolist(), strict=True):
        strongest.offer(p, t)
    assert [m.time_s for m in strongest.moments] == [40.0, 10.0, 70.0]
    noise = Strongest()
    for p, t in zip(rng.random(3000).tolist(), times.tolist(), strict=True):
        noise.offer(p, t)
    gaps = np.diff(sorted(m.time_s for m in noise.moments))
    assert len(noise.moments) == MOST
    assert gaps.min() >= APART_S


def test_a_rise_moves_the_moment_along_and_joins_what_it_meets():
    strongest = Strongest()
    for p, t in [(0.5, 0.0), (0.6, 3.0), (0.55, 6.0), (0.9, 1.5), (0.7, 1.6)]:
        strongest.offer(p, t)
    assert [(m.probability, m.time_s) for m in strongest.moments] == [(0.9, 1.5), (0.55, 6.0)]


def test_pictures_are_not_near_each_other_and_only_what_is_kept_is_encoded():
    strongest, encoded = Strongest(), []

    def picture(i):
        return lambda: encoded.append(i) or bytes([i])

    for i, p in enumerate([0.5, 0.6, 0.7, 0.4, 0.65]):
        strongest.offer(p, 0.0, name=f"{i}.jpg", picture=picture(i))
    assert [m.name for m in strongest.moments] == ["2.jpg", "4.jpg", "1.jpg"]
    assert [m.picture for m in strongest.moments] == [b"\x02", b"\x04", b"\x01"]
    assert encoded == [0, 1, 2, 4]
