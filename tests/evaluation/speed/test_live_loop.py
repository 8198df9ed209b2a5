"""The loop of live.py on a synthetic video, by a clock that only the detector advances."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.speed import live_loop
from evaluation.speed.live_loop import CAMERAS_FPS, NoScreen, Played, live_lag, loop_rate
from evaluation.speed.synthetic_video import synthetic_video, video_source
from models.classifier import Classifier
from pipeline.live import session
from pipeline.run import EmotionPipeline
from support import UserError


class TimedDetector:
    """Detects no face, and takes 50 ms a frame of its own clock."""

    now_s, first_s = 0.0, 0.0

    def __call__(self, frames):
        self.now_s += 0.05 * len(frames) + self.first_s
        self.first_s = 0.0
        return [[] for _ in frames]

    def close(self):
        pass

    def clock(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def video() -> list[np.ndarray]:
    return synthetic_video(1, (120, 160), frames=3)


@pytest.fixture
def detector(monkeypatch) -> TimedDetector:
    """No window opens, whatever display there is."""
    monkeypatch.setattr(live_loop, "display_available", lambda: False)
    monkeypatch.setattr(session, "display_available", lambda: False)
    return TimedDetector()


@pytest.fixture
def pipeline(detector) -> EmotionPipeline:
    return EmotionPipeline(detector, Classifier.from_file())


@pytest.mark.parametrize(("live", "tolerance"), [(True, 0.05), (False, 0.2)])
def test_the_slowest_stage_sets_the_rate(live, tolerance, pipeline, detector, video, capsys, monkeypatch):
    if not live:
        monkeypatch.setattr(NoScreen, "show", lambda self, picture: pytest.fail("shown, but nobody watches a file"))
    report = loop_rate(pipeline, video, seconds=10.0, live=live, clock=detector.clock)
    assert report["frames"] >= 150
    # the detector may be a frame ahead, and two batches of 8 where nobody watches
    assert report["fps"] == pytest.approx(20, rel=tolerance)
    assert 0.05 <= report["first_frame_s"] <= report["warm_up_s"]
    assert report["source_fps"] == float("inf")  # reading takes no time by this clock
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("first_s", [0.0, 30.0])
def test_the_first_frames_are_told_apart(first_s, pipeline, detector, video):
    """A network whose first batch takes half a minute, longer than the measurement: kernels are chosen."""
    detector.now_s, detector.first_s = 100.0, first_s
    report = loop_rate(pipeline, video, seconds=1.0, live=False, clock=detector.clock)
    assert report["frames"] >= 4 * 8
    assert report["frames"] % 8 == 0
    assert report["fps"] == pytest.approx(20, rel=0.35)
    assert report["first_frame_s"] == pytest.approx(first_s, abs=2.0)
    assert report["warm_up_s"] >= first_s


def test_the_warm_up_lasts_until_a_device_has_captured_its_shapes(pipeline, detector, video, monkeypatch):
    captured_s = 7.0
    monkeypatch.setattr(live_loop, "is_warming_up", lambda: detector.now_s < captured_s)
    report = loop_rate(pipeline, video, seconds=1.0, live=True, clock=detector.clock)
    assert captured_s <= report["warm_up_s"] <= captured_s + 1
    assert report["frames"] == pytest.approx(20, abs=2)


def test_frames_of_a_batch_are_done_together_and_count_as_one_step():
    moments = [(0.0, second) for second in (5, 5, 6, 6, 8, 8)]
    played = Played(moments, 2, 2, started_s=0.0)
    assert played.fps == pytest.approx(4 / 3)
    assert played.counted == moments[2:]


def test_a_rate_that_the_source_alone_does_not_reach_is_refused(pipeline, detector, video, monkeypatch):
    monkeypatch.setattr(live_loop, "source_rate", lambda source, frames, clock: 19.0)
    with pytest.raises(UserError, match=r"20 frames a second, but its source alone gives 19: this is no measurement"):
        loop_rate(pipeline, video, seconds=10.0, live=True, clock=detector.clock)


def test_a_source_alone_is_timed_over_as_many_frames(video):
    ticks = iter((10.0, 12.0))
    assert live_loop.source_rate(video_source(video), 50, clock=lambda: next(ticks)) == 25.0


def test_the_lag_is_from_arrival_to_done(pipeline, video, monkeypatch):
    cameras: list[live_loop.SyntheticCamera] = []

    class KeptCamera(live_loop.SyntheticCamera):
        def __init__(self, *args) -> None:
            super().__init__(*args)
            cameras.append(self)

    def play(pipeline, source, *, seconds):
        source.close()
        moments = [(time_s, cameras[-1].first_s + time_s + 0.08) for time_s in (0.0, 0.05, 0.1)]
        return Played([(0.0, 0.0), *moments], 1, 1, 0.0)

    monkeypatch.setattr(live_loop, "SyntheticCamera", KeptCamera)
    monkeypatch.setattr(live_loop, "play", play)
    report = live_lag(pipeline, video, seconds=1.0, loop_fps=20.0)
    assert [report["p50_ms"], report["frame_ms"], report["p50_frames"]] == pytest.approx([80, 50, 1.6])
    assert (report["camera_fps"], report["frames"]) == (30, 3)
    assert live_lag(pipeline, video, seconds=1.0, loop_fps=30.0)["camera_fps"] == 60
    assert live_lag(pipeline, video, seconds=1.0, loop_fps=9999)["camera_fps"] == CAMERAS_FPS[-1]
