"""The loop of live.py, threads and all, on a synthetic video: frames a second, and lag.

In:  a pipeline, a video in memory.
Out: frames a second of a live source that always has a frame ready; the time from a frame's arrival to its annotated
     picture, under a camera that is faster than the loop; and frames a second of a file that nobody watches. What the
     first frames take, while kernels are chosen and memory is taken, is told apart.

Where there is a display, frames go into a real window; else into `NoScreen`, which does what a window does first. A
frame arrives when the camera's `read` returns, and is done when the window has taken its annotated picture. Results are
arrays on the host, so whatever the device, it has finished by then. Frames that go through the networks together are
done together: rates are counted from the end of one batch to the end of another.
"""

from __future__ import annotations

import contextlib
import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from data.sources.camera import LiveSource
from data.sources.frame import FrameSource
from evaluation.speed.synthetic_video import SyntheticCamera, video_source
from evaluation.speed.timing import lag, rate
from pipeline.live.feed import BATCH_BYTES
from pipeline.live.session import Session
from pipeline.options import SessionOptions
from pipeline.output.window import display_available
from pipeline.run import EmotionPipeline
from support import FAILED, UserError
from support.device.replay import OFTEN, is_warming_up

CAMERAS_FPS = (30, 60, 120, 240, 480)  # usual rates; the first that is faster than the loop is taken
WARM_UP_S, WARM_UP_BATCHES = 0.4, OFTEN  # the warm-up lasts for both; after so many batches a device captures the shape
FEWEST, FEWEST_BATCHES = 10, 4  # frames and batches that are measured whatever time they take
ROUNDING = 1.02  # by this factor a loop may seem faster than its source, which is measured at another time


class NoScreen:
    """In place of a window where there is no display: conversion to BGR, and waiting for a key that never comes."""

    closed = False

    def show(self, image_rgb: np.ndarray) -> None:
        """Convert the picture, (H, W, 3) uint8 RGB, to what a window takes."""
        cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)

    def key(self, wait_ms: int = 1) -> None:
        """Wait as long as a window does."""
        time.sleep(max(1, wait_ms) / 1000)


@dataclass(frozen=True, eq=False)
class Played:
    """When frames were done, in seconds of one clock. moments: (`time_s`, done) of each; those from `warm` on count.

    batch: how many frames were done together. started_s: when the loop began.
    """

    moments: list[tuple[float, float]]
    warm: int
    batch: int
    started_s: float

    @property
    def counted(self) -> list[tuple[float, float]]:
        """The moments after the warm-up."""
        return self.moments[self.warm :]

    @property
    def fps(self) -> float:
        """Frames a second after the warm-up, from the end of a batch to the end of another."""
        ends_s = [done_s for _, done_s in self.moments[self.warm - 1 :: self.batch]]
        return self.batch * rate(ends_s)


def loop_rate(
    pipeline: EmotionPipeline,
    video: Sequence[np.ndarray],
    *,
    seconds: float,
    live: bool,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, float]:
    """The loop on a video, in an endless loop: as a camera that always has a frame ready, or as a file nobody watches.

    fps: frames a second after the warm-up, counted over `frames`. warm_up_fps, warm_up_s: of the frames before, and how
    long they took; first_frame_s: to the first one. source_fps: of the source alone. Files are predicted and explained,
    but not drawn. clock: gives seconds. Raises `UserError` where `fps` is above `source_fps`, and so no measurement.
    """
    played = play(pipeline, video_source(video, live=live), seconds=seconds, watched=live, clock=clock)
    alone = source_rate(video_source(video, live=live), len(played.counted), clock=clock)
    if played.fps > ROUNDING * alone:
        raise UserError(
            f"the loop seems to give {played.fps:.0f} frames a second, but its source alone gives {alone:.0f}: this is "
            "no measurement; give more --seconds, and close other programs.",
            exit_code=FAILED,
        )
    warm_up_s = played.moments[played.warm - 1][1] - played.started_s
    return {
        "fps": played.fps,
        "frames": len(played.counted),
        "warm_up_fps": played.warm / warm_up_s,
        "warm_up_s": warm_up_s,
        "first_frame_s": played.moments[0][1] - played.started_s,
        "source_fps": alone,
    }


def source_rate(source: FrameSource, frames: int, *, clock: Callable[[], float] = time.monotonic) -> float:
    """Frames a second of a source that is only read; infinite where that takes no time."""
    with source:
        started_s = clock()
        for _ in range(frames):
            source.read()
        took_s = clock() - started_s
    return frames / took_s if took_s else math.inf


def live_lag(
    pipeline: EmotionPipeline, video: Sequence[np.ndarray], *, seconds: float, loop_fps: float
) -> dict[str, float]:
    """`timing.lag` under a camera that is faster than `loop_fps`, with `camera_fps` and the number of `frames`."""
    camera_fps = next((fps for fps in CAMERAS_FPS if fps > loop_fps), CAMERAS_FPS[-1])
    camera = SyntheticCamera(video, camera_fps)
    source = LiveSource("a synthetic camera", camera, reopen=lambda: camera, advice="")
    times_s, done_s = zip(*play(pipeline, source, seconds=seconds).counted, strict=True)
    arrived_s = camera.first_s + np.array(times_s)
    return {"camera_fps": camera_fps, "frames": len(times_s)} | lag(arrived_s, done_s)


def play(
    pipeline: EmotionPipeline,
    source: FrameSource,
    *,
    seconds: float,
    watched: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> Played:
    """live.py's loop for about `seconds` after a warm-up, to the end of a batch."""
    moments: list[tuple[float, float]] = []
    options = SessionOptions(show=watched and display_available(), quiet=True)
    silence = contextlib.redirect_stderr(io.StringIO())  # of the session's messages
    started_s = clock()
    warm, until_s = 0, started_s + WARM_UP_S
    with silence, Session(options, source, pipeline, pipeline.classifier.device, clock=clock) as session:
        if watched:
            session.window = session.window or NoScreen()
        for analysed in session.results():
            session.present(analysed, session.draw(analysed))
            moments.append((analysed.frame.time_s, clock()))
            batch = min(session.feed.batch_size, -(-BATCH_BYTES // analysed.frame.image_rgb.nbytes))
            fewest = max(FEWEST, FEWEST_BATCHES * batch) if warm else WARM_UP_BATCHES * batch
            if len(moments) % batch or len(moments) - warm < fewest or moments[-1][1] <= until_s:
                continue
            if not warm and is_warming_up():  # a device's kernels are being chosen and captured
                continue
            if warm:
                break
            warm, until_s = len(moments), moments[-1][1] + seconds
    return Played(moments, warm, batch, started_s)
