"""The loop of live.py before a crowd whose timing is known."""

from __future__ import annotations

import time

import numpy as np
import pytest

from evaluation.speed import live_loop
from evaluation.speed.live_loop import NoScreen, ReadySource, file_rate, live_lag, live_rate
from evaluation.speed.synthetic_video import crowd_film
from pipeline.run import EmotionPipeline


@pytest.fixture(scope="module")
def film() -> list[np.ndarray]:
    return crowd_film(1, (120, 160), frames=3)


@pytest.fixture
def pipeline(monkeypatch) -> EmotionPipeline:
    """A pipeline that takes 50 ms to find no face: 20 frames a second at most. No window opens."""

    def slow(frames):
        time.sleep(0.05 * len(frames))
        return [[] for _ in frames]

    monkeypatch.setattr(live_loop, "display_available", lambda: False)
    pipeline = EmotionPipeline.from_files()
    pipeline.detector = slow
    return pipeline


def test_the_slowest_step_sets_the_rate(pipeline, film, capsys):
    found = live_rate(pipeline, film, seconds=0.5)
    assert 10 < found["fps"] <= 20.5
    assert found["frames"] >= live_loop.FEWEST
    assert capsys.readouterr() == ("", "")


def test_a_file_that_nobody_watches_is_not_shown(pipeline, film, monkeypatch):
    monkeypatch.setattr(NoScreen, "show", lambda self, picture: pytest.fail("shown"))
    found = file_rate(pipeline, film, seconds=0.3)
    assert 10 < found["fps"] <= 41  # two threads search, 50 ms a frame each
    assert found["frames"] >= live_loop.FEWEST


def test_a_camera_that_is_too_fast_is_not_queued(pipeline, film):
    found = live_lag(pipeline, film, seconds=1.0, loop_fps=20.0)
    assert found["camera_fps"] == 30
    assert found["p50_ms"] >= 50  # the step itself
    assert found["frame_ms"] >= 49
    assert found["p50_frames"] < 3
    assert abs(found["growth_ms"]) < 60  # a queue would have added 10 frames of 50 ms


def test_a_camera_faster_than_the_loop_is_chosen(pipeline, film):
    assert live_lag(pipeline, film, seconds=0.1, loop_fps=30.0)["camera_fps"] == 60
    assert live_lag(pipeline, film, seconds=0.1, loop_fps=9999)["camera_fps"] == live_loop.CAMERAS_FPS[-1]


def test_a_frame_is_always_ready_and_ends_up_as_bgr(film, monkeypatch):
    with ReadySource(film) as source:
        frames = [source.read(timeout_s=0) for _ in range(5)]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert np.array_equal(frames[4].image_rgb, film[1])
    asked = []
    monkeypatch.setattr(live_loop.cv2, "cvtColor", lambda image, code: asked.append((image.shape, code)))
    NoScreen().show(film[0])
    assert asked == [((120, 160, 3), live_loop.cv2.COLOR_RGB2BGR)]


def test_no_screen_waits_like_a_window():
    started = time.perf_counter()
    assert NoScreen().key(20) is None
    assert 0.02 <= time.perf_counter() - started < 1
