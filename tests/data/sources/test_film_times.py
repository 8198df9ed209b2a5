"""The times of a film: hand-made stamps."""

import numpy as np
import pytest

from data.sources.film_times import REGULAR_STEPS, FilmTimes


def _times(stamps_s, step_s=0.1):
    times = FilmTimes(step_s)
    return [times.next(stamp_s) for stamp_s in stamps_s]


def test_stamps_count_from_the_first():
    assert [time_s for time_s, _ in _times([5.0, 5.1, 5.5])] == pytest.approx([0, 0.1, 0.5])


@pytest.mark.parametrize(
    ("stamps_s", "expected_s"),
    [
        ([None, None, None], [0, 0.1, 0.2]),
        ([0.0, 0.0, 0.0], [0, 0.1, 0.2]),
        ([3.0, 3.5, 1.0, 3.55, 3.8], [0, 0.5, 0.6, 0.7, 0.8]),
    ],
    ids=["none", "standing still", "jumping back"],
)
def test_times_never_stand_still_or_jump_back(stamps_s, expected_s):
    assert [time_s for time_s, _ in _times(stamps_s)] == pytest.approx(expected_s)


def test_a_pause_counts_only_after_a_regular_stretch():
    regular = list(np.arange(REGULAR_STEPS + 1) * 0.1)
    assert _times([*regular, regular[-1] + 1.0])[-1][1] == 9
    assert _times([*regular[:-1], regular[-2] + 1.0])[-1][1] == 0, "one regular step too few"
    assert _times([*regular, regular[-1] + 0.2])[-1][1] == 0, "too short to be said"


def test_beside_damage_a_short_pause_counts_too():
    times = FilmTimes(0.1)
    for number in range(REGULAR_STEPS + 1):
        times.next(number * 0.1)
    assert times.next((REGULAR_STEPS + 2) * 0.1, after_damage=True)[1] == 1
    assert times.next((REGULAR_STEPS + 5) * 0.1, after_damage=True)[1] == 2, "still a regular film"
