"""Tracks: numbers that stay, boxes that rest, labels that do not flicker."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.turned_faces import close_up

from data.sources import sample
from pipeline.tracking import MEMORY_FRAMES, MEMORY_S, Tracker
from retinaface.face import Face, Faces

FRAME_S = 1 / 30


def face(x: float, y: float = 100.0, side: float = 80.0) -> Face:
    points = np.array([[x + 20, y + 30], [x + 60, y + 30], [x + 40, y + 50], [x + 25, y + 65], [x + 55, y + 65]])
    return Face(np.array([x, y, x + side, y + side], np.float32), points.astype(np.float32), 0.9)


def numbers(tracker: Tracker, faces: list[Face], time_s: float, frame_rgb: np.ndarray | None = None) -> list[int]:
    return [observation.track.number for observation in tracker.update(faces, time_s, frame_rgb=frame_rgb)[1]]


def test_faces_keep_their_numbers_in_any_order_while_they_move():
    tracker = Tracker()
    assert numbers(tracker, [face(0), face(300)], 0) == [1, 2]
    assert numbers(tracker, [face(290), face(15)], FRAME_S) == [2, 1]
    assert numbers(tracker, [face(30), face(600), face(280)], 2 * FRAME_S) == [1, 3, 2]


def test_the_best_overlap_wins_and_a_track_serves_one_face():
    tracker = Tracker()
    numbers(tracker, [face(0)], 0)
    assert numbers(tracker, [face(35), face(5)], FRAME_S) == [2, 1]


def test_a_face_that_is_away_for_two_seconds_comes_back_as_itself_and_later_as_another():
    tracker = Tracker()
    for frame in range(10):
        numbers(tracker, [face(0)], frame * FRAME_S)
    assert numbers(tracker, [], 0.4) == []
    assert numbers(tracker, [face(40, 90)], 2.4) == [1]  # half a face away
    assert numbers(tracker, [face(40, 90)], 2.4 + MEMORY_S + 0.1) == [2]
    assert len(tracker.tracks) == 1  # nothing grows


def test_who_comes_back_elsewhere_or_much_larger_or_smaller_is_somebody_else():
    tracker = Tracker()
    numbers(tracker, [face(0)], 0)
    assert numbers(tracker, [face(400)], 1.0) == [2]
    assert numbers(tracker, [face(0, side=200), face(400)], 1.1) == [3, 2]
    nearer = Tracker()
    numbers(nearer, [face(0, side=200)], 0)
    assert numbers(nearer, [face(70, 170, side=60)], 1.0) == [2]


def test_of_two_who_stand_side_by_side_one_goes_and_another_comes():
    """The one who stays keeps the number; who comes after the memory's time is new, however near."""
    tracker = Tracker()
    both, one = [face(100), face(200)], [face(100)]
    for frame in range(30):
        assert numbers(tracker, both, frame * FRAME_S) == [1, 2]
    for frame in range(30, 30 + round((MEMORY_S + 0.2) / FRAME_S)):
        assert numbers(tracker, one, frame * FRAME_S) == [1]
    assert numbers(tracker, both, (frame + 1) * FRAME_S) == [1, 3]


@pytest.mark.parametrize("interval_s", [1.0, 5.0])
def test_a_slow_source_keeps_its_people(rng, interval_s):
    """Two people who sway by half a face from frame to frame; each may be missed for a frame; times jitter."""
    tracker = Tracker()
    for frame in range(40):
        time_s = interval_s * (frame + rng.uniform(-0.2, 0.2))
        places = [face(100 + rng.uniform(-20, 20)), face(400 + rng.uniform(-20, 20))]
        seen = [0, 1] if frame < 3 else ([0, 1], [0], [1])[frame % 3]
        assert numbers(tracker, [places[i] for i in seen], time_s) == [i + 1 for i in seen]
    assert tracker.memory_s == pytest.approx(max(MEMORY_S, MEMORY_FRAMES * interval_s), rel=0.3)
    assert len(tracker.tracks) == 2


def test_another_source_has_a_rate_of_its_own():
    tracker, other = Tracker(), Tracker()
    for frame in range(20):
        numbers(tracker, [face(0)], frame * 2.0)
    for frame in range(3):
        for one in (tracker, other):
            numbers(one, [face(0)], frame * FRAME_S)
        assert (tracker.interval_s, tracker.memory_s) == (other.interval_s, other.memory_s)


def test_one_gap_does_not_change_what_the_source_is_taken_for():
    tracker = Tracker()
    for time_s in (0, 1 / 30, 2 / 30, 100_000, 100_000 + 1 / 30):
        numbers(tracker, [face(0)], time_s)
    assert tracker.interval_s == pytest.approx(1 / 30, rel=1e-3)
    assert numbers(tracker, [face(0)], 200_000) == [3]


def cross(*, hidden_frames: int, smooth: bool = True) -> list[dict[int, float]]:
    """Two faces walk past each other at three face widths a second; number -> x in every frame.

    While they meet only one is seen, the one in front, for `hidden_frames`; detections come in random order.
    """
    rng, tracker, seen = np.random.default_rng(0), Tracker(), []
    frames, speed = 60, 8.0
    for frame in range(frames):
        xs = [100 + speed * frame, 100 + speed * (frames - 1 - frame)]
        faces = [face(x + rng.normal(0, 1), 100 + rng.normal(0, 1)) for x in xs]
        if abs(frame - (frames - 1) / 2) <= hidden_frames / 2:
            faces = faces[:1]
        order = rng.permutation(len(faces))
        _, observations = tracker.update([faces[i] for i in order], frame * FRAME_S, smooth=smooth)
        seen.append({o.track.number: xs[i] for o, i in zip(observations, order, strict=True)})
    return seen


@pytest.mark.parametrize("hidden_frames", [0, 4, 8, 12, 20])
@pytest.mark.parametrize("smooth", [True, False])
def test_people_who_cross_do_not_swap(hidden_frames, smooth):
    seen = cross(hidden_frames=hidden_frames, smooth=smooth)
    first, last = seen[0], seen[-1]
    assert set(first) == set(last) == {1, 2} == {number for frame in seen for number in frame}
    left = min(first, key=first.__getitem__)
    assert last[left] == max(last.values())  # who came from the left is on the right


def test_numbers_are_the_same_whether_or_not_faces_are_smoothed(rng):
    smoothed, rough = Tracker(), Tracker()
    for frame in range(60):
        faces = [face(100 + 5 * frame + rng.normal(0, 3)), face(500 - 3 * frame)][: 1 + (frame % 7 > 0)]
        _, a = smoothed.update(faces, frame * FRAME_S)
        _, b = rough.update(faces, frame * FRAME_S, smooth=False)
        assert [o.track.number for o in a] == [o.track.number for o in b]


@pytest.mark.parametrize("told", [True, False])
def test_a_cut_or_a_film_that_begins_again_ends_all_tracks(told):
    """Nothing goes over: not the number, not the smoothed box, not the probabilities."""
    tracker = Tracker()
    for frame in range(20):
        _, observations = tracker.update([face(0)], frame * FRAME_S)
        tracker.smooth(observations, np.array([[1.0, 0.0]]))
    time_s = (20 if told else 18) * FRAME_S  # time that runs backwards tells it, too
    assert tracker.update(None, 20 * FRAME_S, new_scene=told)[0] == ([] if told else observed(tracker))
    after = face(6)
    (shown,), observations = tracker.update([after], time_s, new_scene=told)
    np.testing.assert_array_equal(shown.box_xyxy, after.box_xyxy)
    np.testing.assert_array_equal(shown.landmarks_xy, after.landmarks_xy)
    assert [o.track.number for o in observations] == [2]
    assert tracker.smooth(observations, np.array([[0.0, 1.0]])).tolist() == [[0, 1]]


def observed(tracker: Tracker) -> list[Face]:
    """The faces of the last frame."""
    return tracker.update(None, 20 * FRAME_S)[0]


def test_after_some_frames_away_nothing_of_before_is_mixed_in():
    """Also in a batch, whose frames are tracked before the first of them is classified."""
    tracker, observations = Tracker(), []
    for time_s in [*(i / 10 for i in range(10)), 2.0]:
        there = face(0 if time_s < 2 else 30)
        (shown,), seen = tracker.update([there], time_s)
        observations += seen
    np.testing.assert_array_equal(shown.box_xyxy, there.box_xyxy)
    assert [o.track.number for o in observations] == [1] * 11
    probabilities = np.array([[1.0, 0.0]] * 10 + [[0.0, 1.0]])
    np.testing.assert_array_equal(tracker.smooth(observations, probabilities), probabilities)


def test_what_bounded_the_search_goes_with_the_faces():
    tracker = Tracker()
    found = Faces([face(0)], left_out=[face(50)] * 3, reduced=2.5)
    for shown in (tracker.update(found, 0)[0], tracker.update(None, FRAME_S)[0]):
        assert (len(shown), len(shown.left_out), shown.reduced) == (1, 3, 2.5)


def test_another_face_at_the_same_place_is_another_person(portrait):
    """Without a word about a cut, and before the same wall: the looks of the face tell."""
    eileen, grace = close_up(portrait, (224, 116), 106), close_up(sample.portrait("hopper"), (257, 190), 190)
    frames = [*[eileen] * 5, *[grace] * 5, *[eileen] * 5]
    with_pixels, without = Tracker(), Tracker()
    there = face(110, 70, 100)
    seen, blind = [], []
    for frame, pixels in enumerate(frames):
        rng = np.random.default_rng(frame)
        noisy = (pixels + rng.normal(0, 8, pixels.shape)).clip(0, 255).astype(np.uint8)
        _, observations = with_pixels.update([there], frame * FRAME_S, frame_rgb=noisy)
        seen.append(observations[0].track.number)
        blind += numbers(without, [there], frame * FRAME_S)
    assert seen == [1] * 5 + [2] * 5 + [1] * 5  # the first one comes back within the memory's time
    assert set(blind) == {1}
    _, (later,) = with_pixels.update([there], 1.4, frame_rgb=grace)
    assert later.track.number == 1  # after a second the looks tell nothing


def test_a_face_whose_looks_change_slowly_keeps_its_number(portrait):
    """It is compared with itself a moment ago, not with how it began."""
    before, after = close_up(portrait, (224, 116), 106), close_up(sample.portrait("hopper"), (257, 190), 190)
    tracker = Tracker()
    for frame, share in enumerate(np.linspace(0, 1, 40)):
        pixels = ((1 - share) * before + share * after).astype(np.uint8)
        _, (seen,) = tracker.update([face(110, 70, 100)], frame * FRAME_S, frame_rgb=pixels)
        assert seen.track.number == 1


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
    (steady,), observations = tracker.update([moved], FRAME_S, smooth=False)
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


def test_in_a_mirror_image_a_face_goes_on_the_other_way_and_looks_mirrored():
    tracker, image = Tracker(), np.zeros((300, 600, 3), np.uint8)
    for frame in range(8):  # light falls on the right half of a face that walks to the right
        image[:], image[:, 12 * frame + 60 :] = 0, 200
        _, (seen,) = tracker.update([face(12 * frame + 20)], frame * FRAME_S, frame_rgb=image)
    x, y = seen.track.motion.predict(1)
    tracker.mirror(600)
    np.testing.assert_allclose(seen.track.motion.predict(1), [599 - x, y])
    assert numbers(tracker, [face(600 - 12 * 7 - 100)], 8 * FRAME_S, image[:, ::-1].copy()) == [1]
