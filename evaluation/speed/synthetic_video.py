"""Synthetic videos with a known number of faces, on which speed is measured.

In:  a number of faces, a size.
Out: frames (H, W, 3) uint8 RGB, made in advance so that making them takes no time while the clock runs; a source and a
     camera that give them.

Every face is NASA's portrait of Eileen Collins (data/sources/sample.py) in a cell of a grid, on its own small closed
path. A face is about 0.6 of its picture's side: 65 pixels where twenty are in 640x480.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from data.sources.frame import FileSource, Frame
from data.sources.sample import portrait
from support import UserError

FRAMES = 30  # of a video: every path is closed by then
FPS = 30.0
FACE_ROWS, FACE_COLUMNS = slice(20, 190), slice(139, 309)  # the face and its hair in the 512 x 512 portrait
LARGEST = 0.55  # largest side of a picture, as a share of the frame's smaller side
FILL = 0.9  # and as a share of the cell's smaller side


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) in pixels of "640x480", width first; `UserError` where it is no size."""
    size = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not size:
        raise UserError(f"--sizes takes sizes such as 640x480, width x height, not {text!r}.")
    return int(size[2]), int(size[1])


def synthetic_video(faces: int, size_hw: tuple[int, int], *, frames: int = FRAMES) -> list[np.ndarray]:
    """`frames` pictures (H, W, 3) uint8 RGB with so many `faces`; equal arguments give equal videos, which loop."""
    centres, side = grid_centres(faces, size_hw)
    return [_frame(centres, side, size_hw, angle=2 * math.pi * index / frames) for index in range(frames)]


def grid_centres(faces: int, size_hw: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Centres (N, 2) float64 xy and the side of `faces` square pictures, as large as possible without touching."""
    height, width = size_hw
    columns = max(range(1, faces + 1), key=lambda n: min(width / n, height / -(-faces // n)), default=1)
    rows = max(1, -(-faces // columns))
    cell_wh = np.array([width / columns, height / rows])
    centres = []
    for number in range(faces):
        row, column = divmod(number, columns)
        missing = columns - min(columns, faces - row * columns)  # the last row is centred
        centres.append(cell_wh * [column + 0.5 + missing / 2, row + 0.5])
    return np.array(centres).reshape(-1, 2), float(min(FILL * cell_wh.min(), LARGEST * min(size_hw)))


def _frame(centres: np.ndarray, side: float, size_hw: tuple[int, int], *, angle: float) -> np.ndarray:
    """The frame in which all paths are at `angle`, 0 to 2 pi."""
    frame, picture = _wall(size_hw).copy(), _face()
    middle = (picture.shape[1] / 2, picture.shape[0] / 2)
    reach = (1 / FILL - 1) / 4 * side  # half of the room between a picture and its cell
    for number, centre in enumerate(centres):
        phase = 2.4 * number
        x = centre[0] + reach * math.sin(angle + phase)
        y = centre[1] + reach * math.sin(2 * angle + phase)
        matrix = cv2.getRotationMatrix2D(middle, 2.5 * math.sin(angle + 2 * phase), side / len(picture))
        matrix[:, 2] += (x - middle[0], y - middle[1])
        cv2.warpAffine(
            picture, matrix, size_hw[::-1], dst=frame, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
        )
    return frame


@functools.cache
def _face() -> np.ndarray:
    return np.ascontiguousarray(portrait()[FACE_ROWS, FACE_COLUMNS])


@functools.lru_cache(maxsize=1)
def _wall(size_hw: tuple[int, int]) -> np.ndarray:
    """A grey wall with grain, darker to the right: (H, W, 3) uint8 RGB."""
    shade = np.linspace(200, 130, size_hw[1])[None, :, None]
    grain = np.random.default_rng(0).normal(scale=3.0, size=(*size_hw, 1))
    return np.repeat((shade + grain).astype(np.uint8), 3, axis=2)


def video_source(video: Sequence[np.ndarray], *, live: bool = False) -> FileSource:
    """The video in an endless loop, as fast as it is read; frames are converted from BGR to RGB, as a camera's are.

    live: as a camera that always has a frame ready, and not as a file.
    """
    video_bgr = [cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) for frame in video]

    def frames() -> Iterator[Frame]:
        for index in itertools.count():
            image_rgb = cv2.cvtColor(video_bgr[index % len(video)], cv2.COLOR_BGR2RGB)
            yield Frame(image_rgb, time_s=index / FPS, index=index, name="synthetic")

    source = FileSource("a synthetic video", frames(), fps=None if live else FPS)
    source.live = live
    return source


class SyntheticCamera:
    """A capture for `data.sources.camera.LiveSource` that gives a video at `fps`, whether or not anybody is ready.

    clock: gives seconds. sleep: waits for so many. `first_s`: when the first frame had been read, by the clock.
    """

    def __init__(
        self,
        video: Sequence[np.ndarray],
        fps: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._video_bgr = [cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) for frame in video]
        self._fps, self._clock, self._sleep = fps, clock, sleep
        self._opened_s = clock()
        self.first_s = math.nan

    def read(self) -> tuple[bool, np.ndarray]:
        """Wait for the next frame's time: (True, (H, W, 3) uint8 BGR, a new array)."""
        number = math.floor((self._clock() - self._opened_s) * self._fps) + 1
        self._sleep(max(0.0, self._opened_s + number / self._fps - self._clock()))
        image_bgr = self._video_bgr[number % len(self._video_bgr)].copy()
        if math.isnan(self.first_s):
            self.first_s = self._clock()
        return True, image_bgr

    def release(self) -> None:
        """There is no device to release."""
