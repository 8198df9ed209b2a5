"""Statistics of times, lags and memory readings, against numbers worked out by hand."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from evaluation.speed.timing import growth, lag, rate, spread


def test_spread_is_median_and_95th_percentile(rng):
    assert spread([3.0]) == {"median": 3.0, "p95": 3.0, "count": 1}
    assert spread(list(range(101))) == {"median": 50, "p95": 95, "count": 101}
    values = rng.exponential(size=1000).tolist()
    assert spread(values)["median"] == pytest.approx(statistics.median(values))
    assert spread(values)["p95"] == pytest.approx(statistics.quantiles(values, n=100, method="inclusive")[94])


def test_rate_counts_the_gaps_between_frames():
    assert rate([10.0, 10.5, 11.0]) == 2.0
    assert rate([0.0, 0.1, 4.0]) == 0.5  # a pause counts
    assert rate([5.0]) == rate([]) == 0.0


def test_lag_in_milliseconds_and_frame_times():
    done_s = np.arange(1, 31) / 25  # a frame each 40 ms
    arrived_s = done_s - 0.06
    lags = lag(arrived_s, done_s)
    assert lags["frame_ms"] == pytest.approx(40)
    assert [lags["p50_ms"], lags["p95_ms"]] == pytest.approx([60, 60])
    assert [lags["p50_frames"], lags["p95_frames"]] == pytest.approx([1.5, 1.5])
    assert lags["growth_ms"] == pytest.approx(0, abs=1e-6)


def test_a_queue_that_fills_shows_as_growth():
    done_s = np.arange(1, 10) / 10
    arrived_s = done_s - np.repeat([0.1, 0.15, 0.3], 3)
    lags = lag(arrived_s, done_s)
    assert lags["growth_ms"] == pytest.approx(200)
    assert lags["p50_ms"] == pytest.approx(150)
    assert lags["p95_ms"] == pytest.approx(300)


def test_growth_is_between_the_first_and_the_last_after_settling():
    rising = [(frame, 100 + frame) for frame in range(0, 1000, 10)]  # one MB a frame
    assert growth(rising, since=0) == 800  # from the middle of the first fifth to that of the last
    warm_up = [(0, 100.0), (50, 400.0), (100, 500.0), (200, 500.0), (300, 500.0)]
    assert growth(warm_up, since=100) == 0
    assert growth(warm_up, since=300) is None
