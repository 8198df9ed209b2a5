"""From a source to results: every frame once and in order, batched or not, mirrored, detected every so often."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.patience import PATIENCE_S

from data.sources.frame import FileSource, Frame, FrameSource
from pipeline.live import feed as module
from pipeline.live.feed import AnalysedFrame, Feed, FeedOptions
from pipeline.options import PredictOptions
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker
from retinaface.detector import RetinaFace
from retinaface.face import LANDMARKS, Face
from support import UserError


def film(images: Sequence[np.ndarray], fps: float = 25.0) -> FileSource:
    return FileSource("film", (Frame(image, i / fps, i, "film") for i, image in enumerate(images)), fps=fps)


def drain(feed: Feed) -> list[AnalysedFrame]:
    analysed: list[AnalysedFrame] = []
    with feed.threads() as threads:
        while not threads.ended:
            analysed += threads.get(timeout_s=PATIENCE_S) or []
    return analysed


class CountingDetector:
    """Records how many frames it is given; detects what `detector` does, or nothing."""

    def __init__(self, detector=None) -> None:
        self.calls: list[int] = []
        self.detector = detector or (lambda frames: [[] for _ in frames])

    def __call__(self, frames: Sequence[np.ndarray]) -> list[list[Face]]:
        self.calls.append(len(frames))
        return self.detector(frames)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("batch_size", "calls"), [(1, [1] * 7), (3, [3, 3, 1]), (20, [5, 2])])
def test_every_frame_once_in_order_in_batches(parts, batch_size, calls, monkeypatch):
    monkeypatch.setattr(module, "BATCH_BYTES", 5 * 40 * 50 * 3)  # large pictures go in smaller batches
    detector = CountingDetector()
    images = [np.full((40, 50, 3), i, np.uint8) for i in range(7)]
    frames = drain(Feed(film(images), EmotionPipeline(detector, parts[1]), batch_size=batch_size))
    assert [analysed.frame.index for analysed in frames] == list(range(7))
    assert all(analysed.result.frame_rgb is image for analysed, image in zip(frames, images, strict=True))
    assert detector.calls == calls


def test_between_detections_faces_stay_where_they_were_and_are_predicted_anew(parts, portrait):
    detector = CountingDetector(parts[0])
    images = [np.roll(portrait, 3 * i, axis=1) for i in range(7)]
    frames = drain(Feed(film(images), EmotionPipeline(detector, parts[1], tracker=Tracker()), every=3))
    assert sum(detector.calls) == 3
    boxes = [analysed.result.faces[0].box_xyxy for analysed in frames]
    assert [bool((boxes[i] == boxes[i - 1]).all()) for i in range(1, 7)] == [True, True, False, True, True, False]
    heatmaps = [analysed.result.faces[0].heatmap for analysed in frames]
    assert all((one != other).any() for one, other in itertools.pairwise(heatmaps))


def test_options_go_with_the_next_batch_and_a_newly_mirrored_frame_is_detected_out_of_turn(parts):
    source = film([np.zeros((40, 50, 3), np.uint8)] * 6)
    feed = Feed(source, EmotionPipeline(CountingDetector(), parts[1]), every=100)
    batches = []
    for batch in feed.grab():
        batches.append(batch)
        feed.use(FeedOptions(mirror=len(batches) >= 3))
    assert [batch.options.mirror for batch in batches] == [False] * 3 + [True] * 3
    assert [batch.detect for batch in batches] == [[True], [False], [False], [True], [False], [False]]


def test_a_film_starts_a_scene_and_is_detected_from_its_first_frame(parts):
    names = ["a.mp4"] * 3 + ["b.mp4"] * 3 + ["c.png", "d.png"] + ["b.mp4"] * 2
    image = np.zeros((40, 50, 3), np.uint8)
    frames = [
        Frame(image, 0.04 * i, 1 + i, name, Path(name), still=name.endswith("png")) for i, name in enumerate(names)
    ]
    for batch_size in (1, 4, 20):
        source = FileSource("a folder", iter(frames))
        batches = list(
            filter(
                None,
                Feed(source, EmotionPipeline(CountingDetector(), parts[1]), every=100, batch_size=batch_size).grab(),
            )
        )
        starts = [flag for batch in batches for flag in batch.new_scene]
        assert starts == [True, False, False, True, False, False, True, True, True, False]
        assert [flag for batch in batches for flag in batch.detect] == starts


def test_who_is_in_the_next_film_is_somebody_else(parts, portrait):
    frames = [Frame(portrait, i / 25, i, name, Path(name)) for name in ("a.mp4", "b.mp4") for i in range(3)]
    for batch_size in (1, 4):
        pipeline = EmotionPipeline(*parts, tracker=Tracker())
        analysed = drain(Feed(FileSource("a folder", iter(frames)), pipeline, batch_size=batch_size))
        assert [result.faces[0].track for result in (one.result for one in analysed)] == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(("whole", "expected"), [(True, [1.0, 2.56, 2.56, 1.0]), (False, [2.56] * 4)])
def test_pictures_are_searched_at_their_own_size(parts, portrait, whole, expected):
    kinds = [True, False, False, True]
    frames = [Frame(portrait, 0.0, i, "x" if still else "f", still=still) for i, still in enumerate(kinds)]
    detector = RetinaFace(parts[0].engine, imgsz=200)
    feed = Feed(
        FileSource("a folder", iter(frames)), EmotionPipeline(detector, parts[1]), batch_size=4, whole_pictures=whole
    )
    assert [analysed.result.reduced for analysed in drain(feed)] == pytest.approx(expected)


def test_a_frame_keeps_the_options_of_its_batch(parts, portrait):
    feed = Feed(film([portrait, portrait]), EmotionPipeline(*parts))
    batches = filter(None, feed.grab())
    before = next(batches)
    feed.use(FeedOptions(predict=PredictOptions(explainer=None)))
    (first,), (second,) = feed.analyse(before), feed.analyse(next(batches))
    assert first.result.faces[0].heatmap is not None
    assert second.result.faces[0].heatmap is None


def test_a_frame_is_refreshed_where_options_changed_after_it_was_grabbed(parts, portrait):
    feed = Feed(film([portrait]), EmotionPipeline(*parts))
    (analysed,) = drain(feed)
    assert feed.refresh(analysed) is analysed  # nothing has changed
    feed.use(FeedOptions(predict=PredictOptions(explain_class="anger")))
    (before,), (after,) = analysed.result.faces, feed.refresh(analysed).result.faces
    assert (before.explained, after.explained) == ("happiness", "anger")
    assert after.probabilities is before.probabilities
    assert np.abs(after.heatmap - before.heatmap).max() > 0.05
    feed.use(replace(feed.options, mirror=True))
    mirrored = feed.refresh(analysed)
    np.testing.assert_array_equal(mirrored.frame.image_rgb, portrait[:, ::-1])
    assert mirrored.result.faces[0].landmarks_xy[:, 0] == pytest.approx(
        511 - before.landmarks_xy[[1, 0, 2, 4, 3], 0], abs=4
    )
    assert mirrored.result.faces[0].explained == "anger"


def test_it_is_known_since_when_a_silent_source_is_waited_for(parts):
    class Silent(FrameSource):
        def _next(self, timeout_s):
            return None

    clock = itertools.count(7)
    feed = Feed(Silent("camera"), EmotionPipeline(CountingDetector(), parts[1]), clock=lambda: float(next(clock)))
    assert feed.waiting_since_s is None
    batches = feed.grab()
    assert [next(batches) for _ in range(3)] == [None] * 3
    assert feed.waiting_since_s == 7.0


def test_a_frame_under_way_that_is_mirrored_shows_the_same_people(parts, portrait):
    wide = np.hstack([portrait, np.full_like(portrait, 128), portrait[:, ::-1]])
    feed = Feed(film([wide] * 2), EmotionPipeline(*parts, tracker=Tracker()), options=FeedOptions())
    analysed = drain(feed)[-1]
    feed.use(FeedOptions(mirror=True))
    mirrored = feed.refresh(analysed)
    before = {face.track: face.box_xyxy for face in analysed.result.faces}
    after = {face.track: face.box_xyxy for face in mirrored.result.faces}
    assert sorted(before) == sorted(after) == [1, 2]
    for track, (left, _, right, _) in before.items():
        middle = wide.shape[1] - 1 - (left + right) / 2
        assert (after[track][0] + after[track][2]) / 2 == pytest.approx(middle, abs=float(right - left) / 10)


@pytest.mark.parametrize("every", [1, 3])
def test_mirrored_from_some_frame_on_people_stay_who_they_are(parts, portrait, every):
    """No number is new, so that nobody is counted twice; the face on the left before is on the right after."""
    blocks = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    wall = cv2.resize(blocks, portrait.shape[1::-1])  # unlike its mirror image, which would be taken for a cut
    wide = np.hstack([portrait, wall, portrait])
    feed = Feed(film([wide] * 6), EmotionPipeline(*parts, tracker=Tracker()), every=every)
    analysed = []
    for batch in feed.grab():
        analysed += feed.analyse(batch)
        feed.use(FeedOptions(mirror=len(analysed) >= 2))
    assert [one.options.mirror for one in analysed] == [False] * 2 + [True] * 4
    sides = [{face.track: face.box_xyxy[0] < 700 for face in one.result.faces} for one in analysed]
    assert sides == [{1: sides[0][1], 2: sides[0][2]}] * 2 + [{1: sides[0][2], 2: sides[0][1]}] * 4
    assert sides[0][1] != sides[0][2]


@pytest.mark.parametrize(
    ("times_s", "searched"), [((0, 0.04, 3600, 3600.04), 2), ((0, 0.7, 1.4, 3), 1), ((0, 9, 3, 4), 3)]
)
def test_after_a_gap_in_time_faces_are_searched_for_whatever_every_says(parts, times_s, searched):
    """As after a pause, or where a camera was away; not where frames come slowly."""
    image, detector = np.full((40, 50, 3), 128, np.uint8), CountingDetector()
    frames = [Frame(image, time_s, i, "film") for i, time_s in enumerate(times_s)]
    pipeline = EmotionPipeline(detector, parts[1], tracker=Tracker())
    drain(Feed(FileSource("film", iter(frames)), pipeline, every=100))
    assert len(detector.calls) == searched


@pytest.mark.parametrize("change", ["scene", "size"])
def test_a_new_scene_and_a_new_size_are_searched_at_once_whatever_every_says(parts, portrait, rng, change):
    """The portrait before another wall and at another place, or the same picture at half its size."""
    before = np.full((480, 640, 3), 128, np.uint8)
    after = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (640, 480))
    before[20:420, 20:420] = after[60:460, 220:620] = portrait[:400, :400]
    if change == "size":
        after = cv2.resize(before, (320, 240))
    frames = drain(Feed(film([before] * 3 + [after] * 3), EmotionPipeline(*parts, tracker=Tracker()), every=100))
    found = [[face.box_xyxy for face in one.result.faces] for one in frames]
    assert [len(boxes) for boxes in found] == [1] * 6
    (expected,) = parts[0]([after])[0]
    np.testing.assert_allclose(found[-1][0], expected.box_xyxy, atol=1)


@pytest.mark.parametrize("batch_size", [1, 4, 20])
def test_frames_read_before_the_film_fails_are_analysed_and_then_it_is_said(parts, batch_size):
    def frames():
        for i in range(6):
            yield Frame(np.zeros((40, 50, 3), np.uint8), i / 25, i, "film")
        raise UserError("film cannot be read any further.")

    came: list[int] = []
    feed = Feed(FileSource("film", frames()), EmotionPipeline(CountingDetector(), parts[1]), batch_size=batch_size)
    with pytest.raises(UserError, match="cannot be read any further"), feed.threads() as threads:
        while not threads.ended:
            came += [analysed.frame.index for analysed in threads.get(timeout_s=PATIENCE_S) or ()]
    assert came == list(range(6))


def test_a_frame_under_way_that_is_mirrored_is_not_searched_anew(parts, portrait):
    """What was found is turned with it: a detector that would find nothing there costs no number and no face."""
    small = cv2.resize(portrait[:400, :400], (200, 200))
    wide = np.hstack([portrait[:400, :400], np.full((400, 30, 3), 128, np.uint8)])
    wide[180:380, 230:430] = small  # a second face beside the first, which overlaps its mirror image
    full = RetinaFace(parts[0].engine, imgsz=400)
    assert len(full([wide])[0]) == 2
    found = RetinaFace(parts[0].engine, imgsz=400, max_faces=1)([wide])[0]
    searched = iter([found])
    detector = CountingDetector(lambda frames: [next(searched)])
    feed = Feed(film([wide]), EmotionPipeline(detector, parts[1], tracker=Tracker()))
    (analysed,) = drain(feed)
    feed.use(FeedOptions(mirror=True))
    result = feed.refresh(analysed).result
    assert detector.calls == [1]
    assert [face.track for face in result.faces] == [1]
    assert result.reduced == pytest.approx(430 / 400)
    for after, before in ((result.faces[0].face, found[0]), (result.left_out[0], found.left_out[0])):
        left, top, right, bottom = before.box_xyxy
        np.testing.assert_allclose(after.box_xyxy, [429 - right, top, 429 - left, bottom], atol=1e-3)
        for name, mirror_image in (("left eye", "right eye"), ("nose", "nose"), ("right mouth corner",
                                   "left mouth corner")):  # fmt: skip
            x, y = before.landmarks_xy[LANDMARKS.index(mirror_image)]
            np.testing.assert_allclose(after.landmarks_xy[LANDMARKS.index(name)], [429 - x, y], atol=1e-3)
    np.testing.assert_array_equal(analysed.result.faces[0].box_xyxy, found[0].box_xyxy)  # that one is as it was
    pixels = wide[:, ::-1].copy()
    (alone,) = EmotionPipeline(lambda frames: [[result.faces[0].face]], parts[1])([pixels])
    for name in ("probabilities", "label", "confidence"):  # which may be smoothed: a mirror changes no reading
        assert getattr(result.faces[0], name) is getattr(analysed.result.faces[0], name)
    assert result.faces[0].explained == alone.faces[0].label
    np.testing.assert_allclose(result.faces[0].heatmap, alone.faces[0].heatmap, atol=1e-4)
