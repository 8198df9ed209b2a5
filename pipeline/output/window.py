"""The window on the screen and the frame-rate meter.

In:  pictures (H, W, 3) uint8 RGB.
Out: a window that gives back the keys pressed in it; frames a second.

OpenCV aborts the process where no window can open, so `display_available` is asked before its first window call.
"""

from __future__ import annotations

import collections
import ctypes
import functools
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from support import FAILED, UserError

MAX_WH = (1280, 720)  # a new window fits in this, and fills it in one direction if the picture is larger
MIN_WIDTH = 640
SAME_RATIO = 0.01  # pictures whose ratios differ by a larger share want a window of another shape
KEY_NAMES = {27: "esc", 32: "space"}
NO_KEY = 0xFFFF
MODIFIERS = range(0xFFE1, 0xFFEF)  # Shift, Ctrl, Alt and the like by themselves, as X11 numbers them


class Screen(Protocol):
    """What a session shows its pictures on and takes keys from: a `Window`, or what stands for one in a measurement."""

    @property
    def closed(self) -> bool:
        """Has it gone?"""

    def show(self, image_rgb: np.ndarray) -> None:
        """Show a picture, (H, W, 3) uint8 RGB."""

    def key(self, wait_ms: int = 1) -> str | None:
        """Wait up to `wait_ms` for a key; its name, or None."""


@functools.cache
def display_available() -> bool:
    """Can a window open here? On Linux the X server is asked as Qt will ask it, with the same cookie; takes 1 ms.

    OpenCV's wheel speaks X11 only, so WAYLAND_DISPLAY alone does not do; a Wayland desktop also sets DISPLAY. The
    connection stays open on purpose: Xvfb restarts when its last client leaves, and would miss the window's call.
    """
    if not sys.platform.startswith("linux"):
        return True
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return False
    xcb.xcb_connect.argtypes, xcb.xcb_connect.restype = [ctypes.c_char_p, ctypes.c_void_p], ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)  # None: the display that DISPLAY names
    return xcb.xcb_connection_has_error(connection) == 0


class Window:
    """A resizable window that keeps the picture's ratio; a context manager. `UserError` where there is no display."""

    def __init__(self, title: str) -> None:
        if not display_available():
            raise UserError("no display can be reached, so no window opens; run with --no-show.", exit_code=FAILED)
        if sys.platform.startswith("linux"):
            os.environ.setdefault("QT_QPA_PLATFORM", "xcb")  # else Qt first complains that it has no Wayland plugin,
            os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # and that the wheel holds no fonts
        self._title = title
        self._closed = False
        self._ratio = 0.0  # of the picture that is shown; 0: none was
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)

    @property
    def closed(self) -> bool:
        """Has the window gone, by its own button or by `close`? On a Mac it has no button, and hides in the Dock."""
        if self._closed or sys.platform == "darwin":
            return self._closed
        try:
            return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1 and self._ratio > 0
        except cv2.error:  # when its last window has gone, Qt's part of OpenCV can no longer be asked
            return True

    def show(self, image_rgb: np.ndarray) -> None:
        """Put up a picture, (H, W, 3) uint8 RGB; it appears during the next `key`. A closed window stays closed."""
        if self.closed:
            return
        height, width = image_rgb.shape[:2]
        if abs(width / height - self._ratio) > SAME_RATIO * self._ratio:  # Qt would stretch it
            cv2.resizeWindow(self._title, *_first_size(width, height))
            self._ratio = width / height
        cv2.imshow(self._title, cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))

    def key(self, wait_ms: int = 1) -> str | None:
        """Wait up to `wait_ms` (at least 1) for a key: its lower-case letter or sign, esc, space, other, or None."""
        code = cv2.waitKeyEx(max(1, wait_ms)) & 0xFFFF  # above it GTK tells of Shift; 8 bits would make Q of an arrow
        if code == NO_KEY or code in MODIFIERS:
            return None
        return KEY_NAMES.get(code, chr(code).lower() if 32 < code < 127 else "other")

    def close(self) -> None:
        """Take the window off the screen; more than once is fine."""
        if not self.closed:
            cv2.destroyWindow(self._title)
            cv2.waitKey(1)  # lets the window system act on it
        self._closed = True

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _first_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) of a new window for a picture of this size: its own where that is neither tiny nor huge."""
    scale = max(1.0, MIN_WIDTH / width)
    scale = min(scale, MAX_WH[0] / width, MAX_WH[1] / height)
    return round(width * scale), round(height * scale)


class RateMeter:
    """Ticks a second over the last second; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ticks: collections.deque[float] = collections.deque()

    def tick(self) -> None:
        """Count one frame."""
        now = self._clock()
        self._ticks.append(now)
        while len(self._ticks) > 2 and now - self._ticks[0] > 1.0:
            self._ticks.popleft()

    @property
    def per_second(self) -> float:
        """The rate; 0.0 before two ticks. Slower than one a second, it is that of the last two."""
        if len(self._ticks) < 2:
            return 0.0
        span_s = self._ticks[-1] - self._ticks[0]
        return (len(self._ticks) - 1) / span_s if span_s > 0 else 0.0
