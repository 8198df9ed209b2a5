"""From a source to results: every frame once and in order, batched or not, mirrored, searched every so often."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from data.sources.frame import FileSource, Frame, FrameSource
from pipeline.live import feed as module
from pipeline.live.feed import Feed, turned
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker


@pytest.fixture(scope="module")
def parts():
    pipeline = EmotionPipeline.from_files()
    return pipeline.detector, pipeline.classifier


def film(images, fps=25.0) -> FileSource:
    return FileSource("film", (Frame(image, i / fps, i, "film") for i, image in enumerate(images)), fps=fps)


def drain(feed: Feed) -> list:
    found = []
    with feed.stages() as stages:
        while not stages.ended:
            found += stages.get(timeout_s=5) or []
    return found


class Spy:
    """A detector that notes how many frames it is given, and finds nothing."""

    def __init__(self) -> None:
        self.calls = []

    def __call__(self, frames):
        self.calls.append(len(frames))
        return [[] for _ in frames]


@pytest.mark.parametrize(("batch", "calls"), [(1, [1] * 7), (3, [3, 3, 1]), (20, [7])])
def test_every_frame_once_in_order_in_batches(parts, batch, calls):
    spy = Spy()
    images = [np.full((40, 50, 3), i, np.uint8) for i in range(7)]
    found = drain(Feed(film(images), EmotionPipeline(spy, parts[1]), batch=batch))
    assert [seen.frame.index for seen in found] == list(range(7))
    assert all(seen.result.frame_rgb is image for seen, image in zip(found, images, strict=True))
    assert spy.calls == calls


def test_large_pictures_go_in_smaller_batches(parts, monkeypatch):
    monkeypatch.setattr(module, "BATCH_BYTES", 2 * 40 * 50 * 3)
    spy = Spy()
    drain(Feed(film([np.zeros((40, 50, 3), np.uint8)] * 5), EmotionPipeline(spy, parts[1]), batch=4))
    assert spy.calls == [2, 2, 1]


def test_batches_follow_people_as_single_frames_do(parts, portrait):
    images = [np.roll(portrait, 5 * i, axis=1) for i in range(6)]
    outcome = []
    for batch in (1, 4):
        feed = Feed(film(images), EmotionPipeline(*parts, tracker=Tracker()), batch=batch)
        found = drain(feed)
        outcome.append([face for seen in found for face in seen.result.faces])
    assert [face.track for face in outcome[0]] == [1] * 6
    for one, other in zip(*outcome, strict=True):
        assert (one.track, one.label, one.explained) == (other.track, other.label, other.explained)
        np.testing.assert_allclose(one.box_xyxy, other.box_xyxy, atol=0.01)
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)
        np.testing.assert_allclose(one.heatmap, other.heatmap, atol=1e-2)


def test_between_searches_faces_stay_where_they_were_and_are_read_anew(parts, portrait):
    spy = []

    def detector(frames):
        spy.append(len(frames))
        return parts[0](frames)

    images = [np.roll(portrait, 3 * i, axis=1) for i in range(7)]
    found = drain(Feed(film(images), EmotionPipeline(detector, parts[1], tracker=Tracker()), every=3))
    assert sum(spy) == 3
    boxes = [seen.result.faces[0].box_xyxy for seen in found]
    assert [bool((boxes[i] == boxes[i - 1]).all()) for i in range(1, 7)] == [True, True, False, True, True, False]
    heat = [seen.result.faces[0].heatmap for seen in found]
    assert all((one != other).any() for one, other in itertools.pairwise(heat))


def test_a_mirrored_frame_is_searched_also_when_it_is_not_its_turn(parts):
    spy = Spy()
    feed = Feed(film([np.zeros((40, 50, 3), np.uint8)] * 6), EmotionPipeline(spy, parts[1]), every=100)
    grabbed = []
    for (one,) in feed.grab():
        grabbed.append(one)
        feed.mirror = len(grabbed) >= 3
    assert [one.mirrored for one in grabbed] == [False] * 3 + [True] * 3
    assert [one.search for one in grabbed] == [True, False, False, True, False, False]


def test_what_was_on_its_way_is_brought_up_to_date(parts, portrait):
    feed = Feed(film([portrait]), EmotionPipeline(*parts))
    (seen,) = drain(feed)
    assert feed.up_to_date(seen).result is seen.result  # nothing was switched
    feed.pipeline.explain_class = "anger"
    (before,), (after,) = seen.result.faces, feed.up_to_date(seen).result.faces
    assert (before.explained, after.explained) == ("happiness", "anger")
    assert after.probabilities is before.probabilities
    assert not np.allclose(after.heatmap, before.heatmap, atol=0.05)
    feed.mirror = True
    turned_round = feed.up_to_date(seen)
    np.testing.assert_array_equal(turned_round.frame.image_rgb, portrait[:, ::-1])
    assert turned_round.result.faces[0].landmarks_xy[:, 0] == pytest.approx(
        511 - before.landmarks_xy[[1, 0, 2, 4, 3], 0], abs=4
    )


def test_a_mirror_turns_left_and_right_only():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(turned(Frame(image, 0.0, 0, "a")).image_rgb, image[:, ::-1])


def test_a_silent_source_is_known_to_be_waited_for(parts):
    class Silent(FrameSource):
        def _next(self, timeout_s):
            return None

    feed = Feed(Silent("camera"), EmotionPipeline(Spy(), parts[1]))
    assert feed.waiting_s is None
    grabbed = feed.grab()
    assert next(grabbed) is None
    since_s = feed.waiting_s
    assert next(grabbed) is None
    assert feed.waiting_s == since_s > 0
