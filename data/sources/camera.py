"""Cameras and network streams: only the newest frame counts, and an unplugged camera comes back.

In:  a camera's number, or an address such as rtsp://host/path or http://host/cam.mjpg.
Out: `LiveSource`, a `FrameSource` that never lags behind the person; of a video that ends, which lies at an address,
     every frame; the list of cameras that answer.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
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

from data.sources.files import without_user
from data.sources.film import open_film_at
from data.sources.frame import Frame, FrameSource
from support import FAILED, UserError

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 5.0  # between two tries to reopen; doubles from the first to the longest
MOST_CAMERAS = 9999  # no system counts so far; OpenCV fails otherwise on a number beyond its int
STREAM_TIMEOUT_MS = 10_000  # to connect, and between two frames
CLOSE_WAIT_S = 1.0  # a driver can hang for longer; its thread is then left behind and dies with the process
STALE = 2 / 3  # of the time between two pictures: an older one is left for the next, which is nearly there
LONGEST_GAP_S = 0.1  # between two pictures of a camera that runs; a longer one says nothing about the next


class Capture(Protocol):
    """What a live source needs of `cv2.VideoCapture`."""

    def read(self) -> tuple[bool, np.ndarray | None]:
        """(True, (H, W, 3) uint8 BGR), or (False, anything) where no picture came."""

    def release(self) -> None:
        """Let go of the device."""


class FrameGap:
    """The time between two pictures of a camera: the running mean, and when the last came, in seconds of one clock."""

    def __init__(self, now_s: float) -> None:
        self.mean_s = 0.0
        self.last_s = now_s

    def picture_came(self, now_s: float) -> None:
        """Take note of a picture; after an outage the mean stays what it was."""
        self.mean_s += 0.1 * (min(now_s - self.last_s, LONGEST_GAP_S) - self.mean_s)
        self.last_s = now_s

    def wait_s(self, now_s: float) -> float:
        """How long the next picture is worth waiting for: until it is due where the last one is stale, else 0."""
        age_s = now_s - self.last_s
        return self.mean_s - age_s if STALE * self.mean_s < age_s < self.mean_s else 0.0


class LiveSource(FrameSource):
    """The newest frame of `capture`, read by a thread of its own; `reopen` is tried when reads fail.

    A frame that is about to be replaced is left for its successor: a reader slower than the camera loses a moment, and
    what it gets is never older than two thirds of the time between two frames.

    Raises `UserError` where the first picture does not come. `advice` tells the person what to check then. `clock`
    gives seconds, from any start.
    """

    live = True

    def __init__(
        self,
        description: str,
        capture: Capture,
        *,
        reopen: Callable[[], Capture],
        advice: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(description)
        self._reopen = reopen
        self._clock = clock
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._newest: tuple[np.ndarray, float] | None = None  # image_bgr and when it came
        self._gap = FrameGap(clock())
        if not self._take(capture):
            raise UserError(f"{description} gives no picture; {advice}.", exit_code=FAILED)
        self._start_s = self._gap.last_s
        self._thread = threading.Thread(target=self._run, args=(capture,), name=description, daemon=True)
        self._thread.start()

    def _take(self, capture: Capture) -> bool:
        """Read one picture and make it the newest; a capture that gives none is released."""
        try:
            came, image_bgr = capture.read()
        except cv2.error:  # a damaged picture may raise
            came, image_bgr = False, None
        if not came or image_bgr is None:
            capture.release()
            return False
        with self._changed:
            now_s = self._clock()
            self._gap.picture_came(now_s)
            self._newest = image_bgr, now_s
            self._changed.notify_all()
        return True

    def _run(self, capture: Capture) -> None:
        """The thread: read until told to stop. It alone touches the captures, which are not safe to share."""
        while not self._stop.is_set():
            if not self._take(capture):
                log.warning("%s gives no picture any more; waiting for it to come back.", self.description)
                back = self._wait_for_return()
                if back is None:
                    return
                capture = back
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
            newest, wait_s = self._newest, self._gap.wait_s(self._clock())
            if newest is not None and wait_s:
                self._changed.wait_for(lambda: self._newest is not newest or self.ended, wait_s)
            newest, self._newest = self._newest, None
        if newest is None:
            return None
        image_bgr, came_s = newest
        image_rgb = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)
        return Frame(image_rgb, time_s=came_s - self._start_s, index=self._given, name=self.description)

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
    if index > MOST_CAMERAS:
        raise UserError(f"there is no camera {index}; python live.py --list-cameras names those that answer.")

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
    """The stream at `url`; `UserError` where it gives no picture."""

    def opened() -> cv2.VideoCapture:
        open_ms, read_ms = cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC
        return cv2.VideoCapture(url, cv2.CAP_FFMPEG, [open_ms, STREAM_TIMEOUT_MS, read_ms, STREAM_TIMEOUT_MS])

    description = re.split(r"[?#]", without_user(url))[0]
    try:
        urlsplit(url)
    except ValueError as error:
        raise UserError(f"{description} is no address; wanted is one such as rtsp://host/path.") from error
    capture = opened()
    if capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        capture.release()
        return open_film_at(url, name=description)
    if not capture.isOpened():  # OpenCV knows fewer codecs
        with contextlib.suppress(UserError):
            return open_film_at(url, name=description)
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
