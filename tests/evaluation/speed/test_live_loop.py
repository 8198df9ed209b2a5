"""The loop of live.py on a synthetic video, by a clock that only the detector advances."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.speed import live_loop
from evaluation.speed.live_loop import CAMERAS_FPS, NoScreen, live_lag, loop_rate
from evaluation.speed.synthetic_video import synthetic_video, video_source
from models.classifier import Classifier
from pipeline.live import session
from pipeline.run import EmotionPipeline


class TimedDetector:
    """Detects no face, and takes 50 ms a frame of its own clock."""

    now_s = 0.0

    def __call__(self, frames):
        self.now_s += 0.05 * len(frames)
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
    source = video_source(video, live=live)
    report = loop_rate(pipeline, source, seconds=10.0, watched=live, clock=detector.clock)
    assert report["frames"] >= 150
    # the detector may be a frame ahead, and two batches of 8 where nobody watches
    assert report["fps"] == pytest.approx(20, rel=tolerance)
    assert capsys.readouterr() == ("", "")


def test_the_lag_is_from_arrival_to_done(pipeline, video, monkeypatch):
    cameras: list[live_loop.SyntheticCamera] = []

    class KeptCamera(live_loop.SyntheticCamera):
        def __init__(self, *args) -> None:
            super().__init__(*args)
            cameras.append(self)

    def play(pipeline, source, *, seconds):
        source.close()
        return [(time_s, cameras[-1].first_s + time_s + 0.08) for time_s in (0.0, 0.05, 0.1)]

    monkeypatch.setattr(live_loop, "SyntheticCamera", KeptCamera)
    monkeypatch.setattr(live_loop, "play", play)
    report = live_lag(pipeline, video, seconds=1.0, loop_fps=20.0)
    assert [report["p50_ms"], report["frame_ms"], report["p50_frames"]] == pytest.approx([80, 50, 1.6])
    assert (report["camera_fps"], report["frames"]) == (30, 3)
    assert live_lag(pipeline, video, seconds=1.0, loop_fps=30.0)["camera_fps"] == 60
    assert live_lag(pipeline, video, seconds=1.0, loop_fps=9999)["camera_fps"] == CAMERAS_FPS[-1]
