"""The loop of live.py, threads and all, on a synthetic video: frames a second, and lag.

In:  a pipeline, a video in memory.
Out: frames a second of a live source that always has a frame ready; the time from a frame's arrival to its annotated
     picture, under a camera that is faster than the loop; and frames a second of a file that nobody watches.

Where there is a display, frames go into a real window; else into `NoScreen`, which does what a window does first. A
frame arrives when the camera's `read` returns, and is done when the window has taken its annotated picture.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from data.sources.camera import LiveSource
from data.sources.frame import FrameSource
from evaluation.speed.synthetic_video import SyntheticCamera
from evaluation.speed.timing import lag, rate
from pipeline.live.session import Session
from pipeline.options import SessionOptions
from pipeline.output.window import display_available
from pipeline.run import EmotionPipeline

CAMERAS_FPS = (30, 60, 120, 240, 480)  # usual rates; the first that is faster than the loop is taken
WARM_UP_S = 0.4
FEWEST = 10  # frames that are measured whatever time they take


class NoScreen:
    """In place of a window where there is no display: conversion to BGR, and waiting for a key that never comes."""

    closed = False

    def show(self, image_rgb: np.ndarray) -> None:
        """Convert the picture, (H, W, 3) uint8 RGB, to what a window takes."""
        cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)

    def key(self, wait_ms: int = 1) -> None:
        """Wait as long as a window does."""
        time.sleep(max(1, wait_ms) / 1000)


def loop_rate(
    pipeline: EmotionPipeline,
    source: FrameSource,
    *,
    seconds: float,
    watched: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, float]:
    """`fps` of the loop on `source`, and the number of `frames` it was counted over. clock: gives seconds.

    watched: False as with --no-show: predicted and explained, but not drawn.
    """
    moments = play(pipeline, source, seconds=seconds, watched=watched, clock=clock)
    return {"fps": rate([done_s for _, done_s in moments]), "frames": len(moments)}


def live_lag(
    pipeline: EmotionPipeline, video: Sequence[np.ndarray], *, seconds: float, loop_fps: float
) -> dict[str, float]:
    """`timing.lag` under a camera that is faster than `loop_fps`, with `camera_fps` and the number of `frames`."""
    camera_fps = next((fps for fps in CAMERAS_FPS if fps > loop_fps), CAMERAS_FPS[-1])
    camera = SyntheticCamera(video, camera_fps)
    source = LiveSource("a synthetic camera", camera, reopen=lambda: camera, advice="")
    times_s, done_s = zip(*play(pipeline, source, seconds=seconds), strict=True)
    arrived_s = camera.first_s + np.array(times_s)
    return {"camera_fps": camera_fps, "frames": len(times_s)} | lag(arrived_s, done_s)


def play(
    pipeline: EmotionPipeline,
    source: FrameSource,
    *,
    seconds: float,
    watched: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> list[tuple[float, float]]:
    """live.py's loop for about `seconds` after a warm-up: `time_s` of each frame, and when it was done, by `clock`."""
    moments: list[tuple[float, float]] = []
    options = SessionOptions(show=watched and display_available(), quiet=True)
    silence = contextlib.redirect_stderr(io.StringIO())  # of the session's messages
    from_s = clock() + WARM_UP_S
    with silence, Session(options, source, pipeline, pipeline.classifier.device, clock=clock) as session:
        if watched:
            session.window = session.window or NoScreen()
        for analysed in session.results():
            session.present(analysed, session.draw(analysed))
            now_s = clock()
            if now_s > from_s:
                moments.append((analysed.frame.time_s, now_s))
            if now_s > from_s + seconds and len(moments) >= FEWEST:
                break
    return moments
