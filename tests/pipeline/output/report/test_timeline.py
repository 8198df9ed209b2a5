"""Bins that merge: nothing is lost, hours stay small."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.output.report.timeline import BINS, Timeline, width_for


def test_a_value_is_spread_over_the_bins_that_it_covers():
    timeline = Timeline(1, width=1.0)
    timeline.add(1.5, 2.0, np.array([8.0]))
    np.testing.assert_allclose(timeline.sums[:5, 0], [0, 2, 4, 2, 0])
    timeline.add(0.25, 0.5, np.array([3.0]))
    np.testing.assert_allclose(timeline.sums[:5, 0], [3, 2, 4, 2, 0])
    timeline.add(4.0, 0.0, np.array([5.0]))  # no length: all of it in one bin
    assert timeline.sums[4, 0] == 5


def test_the_frames_of_nine_hours_stay_in_their_bins():
    rate, frames = 6.0, 200_000
    timeline, size = Timeline(2, width=1 / 16), None
    values = np.array([1 / rate, 0.25 / rate])
    for i in range(frames):
        timeline.add(i / rate, 1 / rate, values)
        size = size or timeline.sums.nbytes
    assert timeline.sums.nbytes == size
    assert timeline.width == 1 / 16 * 2**10, "64 s: 600 bins of 32 s would hold 5.3 hours"
    seconds = frames / rate
    expected = np.clip(seconds - np.arange(BINS) * timeline.width, 0, timeline.width)  # each bin's share of the time
    np.testing.assert_allclose(timeline.sums[:, 0], expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(timeline.sums[:, 1], expected / 4, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("start", [1e5, 1e12])
def test_a_jump_far_ahead_takes_no_memory(start):
    timeline = Timeline(1, width=1 / 16)
    timeline.add(0.0, 1.0, np.array([1.0]))
    timeline.add(start, 1.0, np.array([1.0]))
    assert timeline.sums.shape == (BINS, 1)
    assert timeline.sums.sum() == pytest.approx(2)
    assert timeline.width == width_for(start + 1, width=1 / 16)
    assert timeline.sums[int(start / timeline.width), 0] > 0


def test_width_for_is_the_smallest_that_reaches():
    assert width_for(600, width=1.0) == 1
    assert width_for(600.5, width=1.0) == 2
    assert width_for(100, width=1 / 16, most=20) == 8
