"""Recordings at true speed.

In:  pictures (H, W, 3) uint8 RGB with their times.
Out: an .mp4, .avi or .webm file, under its own name only when complete.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from pipeline.output.snapshot import check_suffix
from support import FAILED, UserError, atomic_write

CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".webm": "VP80"}  # those that open with OpenCV's wheels on every system
LONGEST_LAST_S = 2.0  # the longest that a recording's last frame stays
SPARE_BYTES = 32 * 2**20  # a full disk spoils a recording: OpenCV tells nobody, and an .mp4 gets its index at the end


class VideoWriter:
    """A video whose time is that of the frames: each stays until the next one's time, so some repeat and some drop.

    The first frame sets the size. The last frame stays as long as the one before it, two seconds at most. Where no
    frame comes, no file appears. A context manager, which finishes the file on an error and on Ctrl-C too.
    Raises `UserError` where the name ends in no known suffix, the codec does not open or the disk is full.
    """

    def __init__(self, path: str | Path, fps: float = 30.0) -> None:
        self._path = Path(path)
        check_suffix(self._path, CODECS, "a video")
        try:
            str(self._path).encode()
        except UnicodeEncodeError as error:  # OpenCV would crash the process
            raise UserError(f"cannot record to {self._path!a}: the name is not valid UTF-8.") from error
        self._fps = round(fps, 3)  # what the file can hold
        self._writer: cv2.VideoWriter | None = None
        self._size_hw, self._start_s = (0, 0), 0.0  # of the first frame
        self._waiting_bgr: np.ndarray | None = None  # the newest frame, written when it is known how long it stays
        self._slot = self._stay = 0  # its place in the file; how many slots the one before took

    def write(self, image_rgb: np.ndarray, time_s: float) -> None:
        """Add a frame, (H, W, 3) uint8 RGB, taken at `time_s`; one of another size than the first is letterboxed."""
        if self._writer is None:
            self._open(image_rgb.shape[:2], start_s=time_s)
        elif shutil.disk_usage(self._path.parent).free < SPARE_BYTES:
            raise UserError(f"the disk is nearly full, so {self._path} ends here.", exit_code=FAILED)
        slot = max(self._slot, round((time_s - self._start_s) * self._fps))
        self._stay = slot - self._slot
        self._put_waiting(times=self._stay)
        self._slot = slot
        self._waiting_bgr = cv2.cvtColor(_letterboxed(image_rgb, self._size_hw), cv2.COLOR_RGB2BGR)

    def _open(self, size_hw: tuple[int, ...], *, start_s: float) -> None:
        height, width = size_hw
        fourcc = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
        with contextlib.ExitStack() as files:
            self._temporary = files.enter_context(atomic_write(self._path))
            with _stderr_muted():  # .webm has no codec tags, and OpenCV says so each time
                writer = cv2.VideoWriter(str(self._temporary), fourcc, self._fps, (width, height))
            if not writer.isOpened():
                what = f"{width}x{height} pixels at {self._fps:g} frames a second"
                raise UserError(f"OpenCV cannot record {what} to {self._path}.", exit_code=FAILED)
            self._files = files.pop_all()
        self._writer, self._size_hw, self._start_s = writer, (height, width), start_s

    def _put_waiting(self, *, times: int) -> None:
        if self._writer is not None and self._waiting_bgr is not None:
            for _ in range(times):
                self._writer.write(self._waiting_bgr)

    def close(self) -> None:
        """Finish the file and give it its name; more than once is fine. `UserError` where it cannot be played."""
        if self._writer is None:
            return
        with self._files:
            self._put_waiting(times=min(max(1, self._stay), math.ceil(LONGEST_LAST_S * self._fps)))
            self._writer.release()
            self._writer = None
            if not cv2.VideoCapture(str(self._temporary)).read()[0]:
                raise UserError(f"{self._path} could not be finished; is the disk full?", exit_code=FAILED)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _letterboxed(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """The picture in a frame of `size_hw`, scaled as a whole, with black bars where the ratio differs."""
    height, width = image.shape[:2]
    if (height, width) == size_hw:
        return image
    scale = min(size_hw[0] / height, size_hw[1] / width)
    inner_h, inner_w = max(1, round(height * scale)), max(1, round(width * scale))
    high, wide = size_hw[0] - inner_h, size_hw[1] - inner_w
    borders = (high // 2, high - high // 2, wide // 2, wide - wide // 2)
    return cv2.copyMakeBorder(cv2.resize(image, (inner_w, inner_h)), *borders, cv2.BORDER_CONSTANT)


@contextlib.contextmanager
def _stderr_muted() -> Iterator[None]:
    """Keep what C code writes to stderr off the screen."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
