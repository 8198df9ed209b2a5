"""Live sources, cameras and network streams: only the newest frame counts, and an unplugged one comes back.

In:  a camera's number or a stream's address.
Out: `LiveSource`, a `FrameSource` that never lags behind the person; the list of cameras that answer.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

# OpenCV reads these when it loads. Windows opens cameras in a minute with the first, at once without. The others keep
# its own lines off the screen: what fails is said in our words.
os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET

import cv2
import numpy as np

from data.sources.files import video_recording
from data.sources.frame import Frame, FrameSource
from support import FAILED, UserError

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 5.0  # between two tries to reopen; doubles from the first to the longest
CLOSE_WAIT_S = 1.0  # a driver can hang for longer; its thread is then left behind and dies with the process
STREAM_TIMEOUT_MS = 10_000
STALE = 2 / 3  # of the time between two pictures: an older one is left for the next, which is nearly there
LONGEST_GAP_S = 0.1  # between two pictures of a camera that runs; a longer one says nothing about the next


class Capture(Protocol):
    """What a live source needs of `cv2.VideoCapture`."""

    def read(self) -> tuple[bool, np.ndarray | None]:
        """(True, (H, W, 3) uint8 BGR), or (False, anything) where no picture came."""

    def release(self) -> None:
        """Let go of the device."""


class LiveSource(FrameSource):
    """The newest frame of `capture`, read by a thread of its own; `reopen` is tried when reads fail.

    A frame that is about to be replaced is left for its successor: a reader slower than the camera loses a moment, and
    what it gets is never older than two thirds of the time between two frames.

    Raises `UserError` where the first picture does not come. `advice` tells the person what to check then.
    """

    live = True

    def __init__(self, description: str, capture: Capture, *, reopen: Callable[[], Capture], advice: str) -> None:
        super().__init__(description)
        self._reopen = reopen
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._newest: tuple[np.ndarray, float] | None = None  # image_bgr and when it came
        self._came_s, self._gap_s = time.monotonic(), 0.0  # when the last picture came; seconds between two, on average
        if not self._take(capture):
            raise UserError(f"{description} gives no picture; {advice}.", exit_code=FAILED)
        self._start_s = self._newest[1]
        self._thread = threading.Thread(target=self._run, args=(capture,), name=description, daemon=True)
        self._thread.start()

    def _take(self, capture: Capture) -> bool:
        """Read one picture and make it the newest; a capture that gives none is released."""
        came, image_bgr = capture.read()
        if not came:
            capture.release()
            return False
        with self._changed:
            now_s = time.monotonic()
            self._gap_s += 0.1 * (min(now_s - self._came_s, LONGEST_GAP_S) - self._gap_s)
            self._came_s, self._newest = now_s, (image_bgr, now_s)
            self._changed.notify_all()
        return True

    def _run(self, capture: Capture) -> None:
        """The thread: read until told to stop. It alone touches `capture`, which is not safe to share."""
        while not self._stop.is_set():
            if not self._take(capture):
                log.warning("%s gives no picture any more; waiting for it to come back.", self.description)
                capture = self._wait_for_return()
                if capture is None:
                    return
                log.warning("%s is back.", self.description)
        capture.release()

    def _wait_for_return(self) -> Capture | None:
        """Try to reopen, ever more rarely, until a picture comes; None where told to stop."""
        wait_s = FIRST_WAIT_S
        while not self._stop.wait(wait_s):
            capture = self._reopen()
            if self._take(capture):
                return capture
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        return None

    def _next(self, timeout_s: float) -> Frame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self.ended, timeout_s)
            newest, age_s = self._newest, time.monotonic() - self._came_s
            if newest is not None and STALE * self._gap_s < age_s < self._gap_s:
                self._changed.wait_for(lambda: self._newest is not newest or self.ended, self._gap_s - age_s)
            newest, self._newest = self._newest, None
        if newest is None:
            return None
        image_bgr, seen_s = newest
        image_rgb = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)
        return Frame(image_rgb, time_s=seen_s - self._start_s, index=self._given, name=self.description)

    def close(self) -> None:
        """Stop the thread, which lets go of the camera."""
        super().close()
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(CLOSE_WAIT_S)


def open_camera(
    index: int, *, width: int | None = None, height: int | None = None, fps: float | None = None
) -> LiveSource:
    """Camera number `index`; size and rate are asked for, the camera decides."""

    def opened() -> cv2.VideoCapture:
        capture = cv2.VideoCapture(index)
        asked = {cv2.CAP_PROP_FRAME_WIDTH: width, cv2.CAP_PROP_FRAME_HEIGHT: height, cv2.CAP_PROP_FPS: fps}
        for setting, value in asked.items():
            if value is not None:
                capture.set(setting, value)
        return capture

    advice = "check that it is plugged in, allowed, and not used by another program (--list-cameras shows which answer)"
    return LiveSource(f"camera {index}", opened(), reopen=opened, advice=advice)


def open_stream(url: str) -> FrameSource:
    """A network stream; an address of a video with an end is played as the recording it is."""

    def opened() -> cv2.VideoCapture:
        open_ms, read_ms = cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC
        return cv2.VideoCapture(url, cv2.CAP_FFMPEG, [open_ms, STREAM_TIMEOUT_MS, read_ms, STREAM_TIMEOUT_MS])

    parts = urlsplit(url)
    description = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"  # without user, password and query
    capture = opened()
    if capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        return video_recording(capture, name=description)
    return LiveSource(description, capture, reopen=opened, advice="check the address and the network")


def list_cameras(max_index: int = 10) -> list[tuple[int, int, int]]:
    """(index, width, height) of the cameras below `max_index` that give a picture."""
    found = []
    for index in range(max_index):
        capture = cv2.VideoCapture(index)
        came, image_bgr = capture.read()
        capture.release()
        if came:
            found.append((index, image_bgr.shape[1], image_bgr.shape[0]))
    return found
