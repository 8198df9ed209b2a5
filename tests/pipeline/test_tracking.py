"""Tracks: numbers that stay, boxes that rest, labels that do not flicker."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.motion import OneEuroFilter, share_of_new
from pipeline.tracking import MEMORY_S, Tracker
from retinaface.face import Face

FRAME_S = 1 / 30


def face(x: float, y: float = 100.0, side: float = 80.0) -> Face:
    points = np.array([[x + 20, y + 30], [x + 60, y + 30], [x + 40, y + 50], [x + 25, y + 65], [x + 55, y + 65]])
    return Face(np.array([x, y, x + side, y + side], np.float32), points.astype(np.float32), 0.9)


def numbers(tracker: Tracker, faces: list[Face], time_s: float) -> list[int]:
    return [observation.track.number for observation in tracker.update(faces, time_s)[1]]


def test_faces_keep_their_numbers_in_any_order_while_they_move():
    tracker = Tracker()
    assert numbers(tracker, [face(0), face(300)], 0) == [1, 2]
    assert numbers(tracker, [face(290), face(15)], FRAME_S) == [2, 1]
    assert numbers(tracker, [face(30), face(600), face(280)], 2 * FRAME_S) == [1, 3, 2]


def test_the_best_overlap_wins_and_a_track_serves_one_face():
    tracker = Tracker()
    numbers(tracker, [face(0)], 0)
    assert numbers(tracker, [face(35), face(5)], FRAME_S) == [2, 1]


def test_a_face_that_is_away_briefly_comes_back_as_itself_and_later_as_another():
    tracker = Tracker()
    numbers(tracker, [face(0)], 0)
    assert numbers(tracker, [], 0.3) == []
    assert numbers(tracker, [face(0)], 0.6) == [1]
    assert numbers(tracker, [face(0)], 0.6 + MEMORY_S + 0.1) == [2]
    assert len(tracker.tracks) == 1  # nothing grows


def test_a_still_face_rests_and_a_moving_one_is_not_left_behind(rng):
    tracker, raw, shown = Tracker(), [], []
    for frame in range(90):
        seen = face(100 + rng.normal(0, 1.0))
        (steady,), _ = tracker.update([seen], frame * FRAME_S)
        raw.append(seen.box_xyxy[0])
        shown.append(steady.box_xyxy[0])
    jitter = [np.abs(np.diff(values[30:])).mean() for values in (raw, shown)]
    assert jitter[1] < 0.35 * jitter[0]
    assert jitter[1] < 0.01 * 80  # one per cent of the face
    lag = []
    for frame in range(90, 150):  # 8 pixels a frame: three face widths a second
        x = 100 + 8 * (frame - 90)
        (steady,), _ = tracker.update([face(x)], frame * FRAME_S)
        lag.append((x - steady.box_xyxy[0]) / 8)
    assert max(lag[10:]) < 2  # frames


def test_probabilities_follow_with_the_time_constant_and_stay_probabilities():
    tracker = Tracker()
    before, after = np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32)
    _, observations = tracker.update([face(0)], 0)
    assert tracker.smooth(observations, before).tolist() == before.tolist()  # the first is taken as it is
    for frame in range(1, 16):
        _, observations = tracker.update([face(0)], frame * FRAME_S)
        shown = tracker.smooth(observations, after, smooth_s=0.5)
    assert shown[0, 0] == pytest.approx(np.exp(-0.5 / 0.5), rel=1e-4)  # after one time constant
    assert shown.sum() == pytest.approx(1)


def test_smoothing_can_be_turned_off():
    tracker = Tracker()
    tracker.update([face(0)], 0)
    moved = face(10)
    (steady,), observations = tracker.update([moved], FRAME_S, smooth_s=0)
    assert steady is moved
    assert tracker.smooth(observations, np.array([[0.2, 0.8]]), smooth_s=0).tolist() == [[0.2, 0.8]]


def test_the_same_moment_again_changes_nothing():
    tracker = Tracker()
    tracker.update([face(0)], 0)
    (first,), observations = tracker.update([face(4)], FRAME_S)
    p = tracker.smooth(observations, np.array([[0.2, 0.8]]))
    (again,), observations = tracker.update([face(4)], FRAME_S)
    np.testing.assert_array_equal(first.box_xyxy, again.box_xyxy)
    np.testing.assert_array_equal(tracker.smooth(observations, np.array([[0.9, 0.1]])), p)


def test_frames_may_be_tracked_first_and_classified_later(rng):
    """As in a batch of a film: the outcome is that of one frame after the other."""
    probabilities = rng.dirichlet([1, 1], 6)
    alone, batch = Tracker(), Tracker()
    one_by_one = [alone.smooth(alone.update([face(i)], i * FRAME_S)[1], probabilities[i : i + 1]) for i in range(6)]
    together = [observation for i in range(6) for observation in batch.update([face(i)], i * FRAME_S)[1]]
    np.testing.assert_array_equal(batch.smooth(together, probabilities), np.concatenate(one_by_one))


def test_a_frame_without_detection_shows_the_faces_of_the_one_before():
    tracker = Tracker()
    assert tracker.update(None, 0.0) == ([], [])
    before, _ = tracker.update([face(0), face(300)], FRAME_S)
    again, observations = tracker.update(None, 2 * FRAME_S)
    assert again == before
    assert [observation.track.number for observation in observations] == [1, 2]
    assert numbers(tracker, [face(310), face(5)], 3 * FRAME_S) == [2, 1]


def test_searching_every_third_frame_does_not_make_a_track_believe_in_haste():
    """The filter goes by the time since the face was detected, not since it was last shown."""
    detected, waited = Tracker(), Tracker()
    for third in range(5):
        time_s, moved = 3 * third * FRAME_S, [face(2.0 * third)]
        (a,), _ = detected.update(moved, time_s)
        (b,), _ = waited.update(moved, time_s)
        np.testing.assert_array_equal(a.box_xyxy, b.box_xyxy)
        for skipped in (1, 2):
            waited.update(None, time_s + skipped * FRAME_S)


def test_the_filters_share_by_hand():
    assert share_of_new(1.0, 1 / (2 * np.pi)) == pytest.approx(0.5)
    still = OneEuroFilter()
    assert still(np.array([5.0]), passed_s=0.1) == 5
