"""Crowds: short films in memory with a known number of faces, which speed is measured on.

In:  a number of faces, a size.
Out: frames (H, W, 3) uint8 RGB, made in advance so that making them costs nothing while the clock runs; and a camera
     that gives them at its own rate.

Every face is the portrait of `data.sources.sample` (Eileen Collins, NASA, public domain) in a cell of a grid, each on its own
small closed path. A face is about 0.6 of its picture's side: 65 pixels where twenty stand in 640x480.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import time
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from data.sources.frame import FileSource, Frame
from support import UserError

FRAMES = 30  # a film's length: every path has closed by then
FPS = 30.0
FACE_ROWS, FACE_COLUMNS = slice(20, 190), slice(139, 309)  # the face and its hair in the 512 x 512 portrait
LARGEST = 0.55  # a picture's side at most, as a share of the frame's smaller side
FULL = 0.9  # and as a share of its cell's


def size_of(text: str) -> tuple[int, int]:
    """(height, width) in pixels of "640x480", width first; `UserError` where it is none."""
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not found:
        raise UserError(f"--sizes takes sizes as 640x480, width x height, not {text!r}.")
    return int(found[2]), int(found[1])


def crowd_film(faces: int, size_hw: tuple[int, int], *, frames: int = FRAMES) -> list[np.ndarray]:
    """`frames` pictures (H, W, 3) uint8 RGB of `faces` people; the same numbers give the same film, which loops."""
    places, side = grid_places(faces, size_hw)
    return [_picture(places, side, size_hw, angle=2 * math.pi * index / frames) for index in range(frames)]


def grid_places(faces: int, size_hw: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Middles (N, 2) float64 xy of `faces` square pictures which do not touch, as large as may be, and their side."""
    height, width = size_hw
    columns = max(range(1, faces + 1), key=lambda n: min(width / n, height / -(-faces // n)), default=1)
    rows = max(1, -(-faces // columns))
    cell_wh = np.array([width / columns, height / rows])
    places = []
    for number in range(faces):
        row, column = divmod(number, columns)
        missing = columns - min(columns, faces - row * columns)  # the last row stands in the middle
        places.append(cell_wh * [column + 0.5 + missing / 2, row + 0.5])
    return np.array(places).reshape(-1, 2), min(FULL * cell_wh.min(), LARGEST * min(size_hw))


def _picture(places: np.ndarray, side: float, size_hw: tuple[int, int], *, angle: float) -> np.ndarray:
    """The film's picture where all paths are at `angle`, 0 to 2 pi."""
    canvas, portrait = _wall(size_hw).copy(), _portrait()
    middle = (portrait.shape[1] / 2, portrait.shape[0] / 2)
    reach = (1 / FULL - 1) / 4 * side  # half of the room between a picture and its cell
    for number, place in enumerate(places):
        phase = 2.4 * number
        x = place[0] + reach * math.sin(angle + phase)
        y = place[1] + reach * math.sin(2 * angle + phase)
        matrix = cv2.getRotationMatrix2D(middle, 2.5 * math.sin(angle + 2 * phase), side / len(portrait))
        matrix[:, 2] += (x - middle[0], y - middle[1])
        cv2.warpAffine(
            portrait, matrix, size_hw[::-1], dst=canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
        )
    return canvas


@functools.cache
def _portrait() -> np.ndarray:
    from skimage.data import astronaut  # takes 0.3 s

    return np.ascontiguousarray(astronaut()[FACE_ROWS, FACE_COLUMNS])


@functools.lru_cache(maxsize=1)
def _wall(size_hw: tuple[int, int]) -> np.ndarray:
    """A grey wall with grain, darker to the right: (H, W, 3) uint8 RGB."""
    shade = np.linspace(200, 130, size_hw[1])[None, :, None]
    grain = np.random.default_rng(0).normal(scale=3.0, size=(*size_hw, 1))
    return np.repeat((shade + grain).astype(np.uint8), 3, axis=2)


def film_source(film: Sequence[np.ndarray]) -> FileSource:
    """The film without end, as fast as it is read: each frame is brought from BGR to RGB, as a camera's has to be."""
    film_bgr = [cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) for picture in film]

    def frames() -> Iterator[Frame]:
        for index in itertools.count():
            image_rgb = cv2.cvtColor(film_bgr[index % len(film)], cv2.COLOR_BGR2RGB)
            yield Frame(image_rgb, time_s=index / FPS, index=index, name="crowd")

    return FileSource("a crowd", frames(), fps=FPS)


class FilmCamera:
    """A capture for `data.sources.camera.LiveSource`: gives the film at `fps` whether or not anybody is ready for it.

    film: pictures (H, W, 3) uint8 RGB. `first_s`: when its first picture had been read, on the monotonic clock.
    """

    def __init__(self, film: Sequence[np.ndarray], fps: float) -> None:
        self._film_bgr = [cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) for picture in film]
        self._fps, self._opened_s = fps, time.monotonic()
        self.first_s: float | None = None

    def read(self) -> tuple[bool, np.ndarray]:
        """Wait for the next picture's time: (True, (H, W, 3) uint8 BGR, a new array)."""
        number = math.floor((time.monotonic() - self._opened_s) * self._fps) + 1
        time.sleep(max(0.0, self._opened_s + number / self._fps - time.monotonic()))
        image_bgr = self._film_bgr[number % len(self._film_bgr)].copy()
        self.first_s = self.first_s or time.monotonic()
        return True, image_bgr

    def release(self) -> None:
        """Nothing to let go of."""
