"""The 1-euro filter and the prediction of hidden faces, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.motion import COAST_S, VELOCITY_S, Motion, OneEuroFilter, smoothing_factor


def test_the_filters_share_by_hand():
    assert smoothing_factor(1.0, 1 / (2 * np.pi)) == pytest.approx(0.5)
    still = OneEuroFilter()
    assert still(np.array([5.0]), passed_s=0.1) == 5


def walk(speed: float, *, frames: int = 40, interval_s: float = 1 / 30) -> Motion:
    motion = Motion(np.zeros(2), 80.0, 0.0)
    for frame in range(1, frames):
        motion.update(np.array([speed * frame * interval_s, 0]), 80.0, frame * interval_s)
    return motion


def test_who_walks_on_is_predicted_where_they_will_be_and_then_comes_to_rest():
    motion = walk(200.0)
    assert motion.velocity_xy == pytest.approx([200, 0], abs=0.2)
    now_s, x = motion.seen_s, motion.centre_xy[0]
    assert motion.predict(now_s + 1 / 30)[0] - x == pytest.approx(200 / 30, rel=0.03)
    assert motion.predict(now_s + 100)[0] - x == pytest.approx(200 * COAST_S, rel=1e-3)
    assert motion.predict(now_s) == pytest.approx(motion.centre_xy)


def test_a_velocity_is_the_mean_over_its_time_constant_and_the_size_is_the_last():
    motion = Motion(np.zeros(2), 80.0, 0.0)
    motion.update(np.array([30.0, 0]), 96.0, VELOCITY_S)
    assert motion.size == 96
    assert motion.velocity_xy[0] == pytest.approx(30 / VELOCITY_S * (1 - np.exp(-1)))
    before = motion.centre_xy
    motion.update(np.array([99.0, 0]), 80.0, VELOCITY_S)  # the same moment again
    assert motion.centre_xy is before
