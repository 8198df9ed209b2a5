"""The loop that live.py runs, threads and all, before a crowd: how many frames a second, how old the picture is.

In:  a pipeline, a film in memory.
Out: frames a second before a source that always has a frame ready; from frame in to annotated frame out, before a
     camera which is faster than the loop; and frames a second of a film's file that nobody watches.

Where a display can be reached, frames go into a real window; else into `NoScreen`, which does what a window does first.
A frame is in when the camera's `read` returns, and out when the window has taken it.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from data.sources.camera import LiveSource
from data.sources.frame import Frame, FrameSource
from evaluation.speed.synthetic_video import FPS, FilmCamera, film_source
from evaluation.speed.timing import lag, rate
from pipeline.live.session import Session
from pipeline.output.window import display_available
from pipeline.run import EmotionPipeline

CAMERAS_FPS = (30, 60, 120, 240, 480)  # what cameras give; the first that the loop cannot keep up with is taken
WARM_UP_S = 0.4
FEWEST = 10  # frames that are measured whatever time they take


class NoScreen:
    """A window's place where there is no display: the way to BGR, and the wait for a key that does not come."""

    closed = False

    def show(self, image_rgb: np.ndarray) -> None:
        """Bring the picture, (H, W, 3) uint8 RGB, to what a window takes."""
        cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)

    def key(self, wait_ms: int = 1) -> None:
        """Wait as long as a window does."""
        time.sleep(max(1, wait_ms) / 1000)


@dataclass(frozen=True)
class Flags:
    """Those of live.py that `Session` reads, as they are by default, but for stdout."""

    show: bool
    alpha: float = 0.55
    smooth: float = 0.4
    mirror: bool | None = None
    every: int = 1
    save: str | None = None
    log: str | None = None
    quiet: bool = True


class ReadySource(FrameSource):
    """A live source that has the film's next frame whenever it is asked, brought from BGR to RGB like a camera's."""

    live = True

    def __init__(self, film: Sequence[np.ndarray]) -> None:
        super().__init__("a crowd")
        self._film_bgr = [cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) for picture in film]

    def _next(self, timeout_s: float) -> Frame:
        image_rgb = cv2.cvtColor(self._film_bgr[self._given % len(self._film_bgr)], cv2.COLOR_BGR2RGB)
        return Frame(image_rgb, time_s=self._given / FPS, index=self._given, name="crowd")


def live_rate(pipeline: EmotionPipeline, film: Sequence[np.ndarray], *, seconds: float) -> dict[str, float | int]:
    """`fps` and the number of `frames` it was counted over."""
    moments = _play(pipeline, ReadySource(film), seconds=seconds)
    return {"fps": rate([shown_s for _, shown_s in moments]), "frames": len(moments)}


def live_lag(
    pipeline: EmotionPipeline, film: Sequence[np.ndarray], *, seconds: float, loop_fps: float
) -> dict[str, float | int]:
    """`timing.lag` under a camera that is faster than `loop_fps`, with `camera_fps` and the number of `frames`."""
    camera_fps = next((fps for fps in CAMERAS_FPS if fps > loop_fps), CAMERAS_FPS[-1])
    camera = FilmCamera(film, camera_fps)
    source = LiveSource("a crowd", camera, reopen=lambda: camera, advice="")
    times_s, shown_s = zip(*_play(pipeline, source, seconds=seconds), strict=True)
    seen_s = camera.first_s + np.array(times_s)
    return {"camera_fps": camera_fps, "frames": len(times_s)} | lag(seen_s, shown_s)


def file_rate(pipeline: EmotionPipeline, film: Sequence[np.ndarray], *, seconds: float) -> dict[str, float | int]:
    """As `live_rate`, of a recording with --no-show: read and explained, but neither decoded nor drawn."""
    moments = _play(pipeline, film_source(film), seconds=seconds, watched=False)
    return {"fps": rate([done_s for _, done_s in moments]), "frames": len(moments)}


def _play(
    pipeline: EmotionPipeline, source: FrameSource, *, seconds: float, watched: bool = True
) -> list[tuple[float, float]]:
    """live.py's loop for about `seconds` after a warm-up: each frame's own time, and when it had been presented."""
    moments: list[tuple[float, float]] = []
    from_s = time.monotonic() + WARM_UP_S
    quiet = contextlib.redirect_stderr(io.StringIO())  # what a sitting tells the person
    flags = Flags(show=watched and display_available())
    with quiet, Session(flags, source, pipeline, pipeline.classifier.device) as session:
        if watched:
            session.window = session.window or NoScreen()
        for seen in session.results():
            session.present(seen)
            now_s = time.monotonic()
            if now_s > from_s:
                moments.append((seen.frame.time_s, now_s))
            if now_s > from_s + seconds and len(moments) >= FEWEST:
                break
    return moments
