"""The bundled sample: public-domain portraits as photographs that drift over a wall.

In:  a frame number and a size.
Out: (H, W, 3) uint8 RGB; the same numbers give the same picture, and the film loops after `PERIOD` frames.

The portraits lie in packages that are installed anyway, so nothing is downloaded: matplotlib brings the US Navy's of
Grace Hopper; scikit-image, where it is installed, NASA's of Eileen Collins, who smiles.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from data.sources.frame import FileSource, Frame
from data.sources.pictures import read_picture
from support import UserError

FPS = 30.0
PERIOD = 600  # frames: 20 s, after which every path is back where it began
DEFAULT_SIZE_HW = (480, 640)

_BORDER, _CHIN, _MARGIN = 0.06, 0.16, 0.14  # white edge, its wider foot, room for the shadow; in photo widths


@dataclass(frozen=True)
class Portrait:
    """The `file` of an installed distribution; `head_xyxy`: the square of head and shoulders in it, in pixels."""

    distribution: str
    file: str
    head_xyxy: tuple[int, int, int, int]


PORTRAITS = {
    "collins": Portrait("scikit-image", "skimage/data/astronaut.png", (92, 0, 356, 264)),
    "hopper": Portrait("matplotlib", "matplotlib/mpl-data/sample_data/grace_hopper.jpg", (76, 28, 456, 408)),
}


@dataclass(frozen=True)
class Photo:
    """One photograph's look and path; lengths in the frame's width, height and (`size`) its smaller side."""

    person: str
    centre_xy: tuple[float, float]
    size: float
    tilt_degrees: float
    phase: float
    mirrored: bool = False
    grey: bool = False


PHOTOS = (
    Photo("collins", (0.265, 0.41), size=0.48, tilt_degrees=-4.0, phase=0.0),
    Photo("hopper", (0.72, 0.275), size=0.33, tilt_degrees=5.0, phase=1.7, mirrored=True),
    Photo("hopper", (0.545, 0.74), size=0.27, tilt_degrees=-6.0, phase=3.1, grey=True),
    Photo("collins", (0.83, 0.71), size=0.30, tilt_degrees=3.0, phase=4.6),
)


def open_sample(*, width: int | None = None, height: int | None = None, loop: bool = True) -> FileSource:
    """The sample as a film of 30 frames a second, 640x480 or 4:3 unless told otherwise; endless, or one `PERIOD`."""
    height = height or (width or DEFAULT_SIZE_HW[1]) * 3 // 4
    width = width or height * 4 // 3
    numbers = itertools.count() if loop else range(PERIOD)
    frames = (Frame(sample_frame(i, (height, width)), i / FPS, index=i, name="sample") for i in numbers)
    return FileSource("the bundled sample", frames, fps=FPS, count=None if loop else PERIOD)


def sample_frame(index: int, size_hw: tuple[int, int] = DEFAULT_SIZE_HW) -> np.ndarray:
    """Frame number `index` of the sample: (H, W, 3) uint8 RGB, a new array."""
    frame = _wall(size_hw).copy()
    for photo in PHOTOS:
        _lay(photo, frame, angle=2 * math.pi * index / PERIOD)
    return frame


def _lay(photo: Photo, frame: np.ndarray, *, angle: float) -> None:
    """Lay `photo` onto `frame` (in place) where its path is at `angle`, 0 to 2 pi for one period.

    Whole multiples of `angle` make every path a closed curve.
    """
    height, width = frame.shape[:2]
    sprite = _sprite(photo, max(8, round(photo.size * min(height, 0.75 * width))))
    x = width * (photo.centre_xy[0] + 0.022 * math.sin(2 * angle + photo.phase))
    y = height * (photo.centre_xy[1] + 0.028 * math.sin(3 * angle + 2 * photo.phase))
    tilt = photo.tilt_degrees + 3.0 * math.sin(2 * angle + 3 * photo.phase)
    scale = 1.0 + 0.07 * math.sin(angle + 2 * photo.phase)
    light = 0.93 + 0.07 * math.sin(3 * angle + photo.phase)

    reach = math.ceil(0.5 * scale * math.hypot(*sprite.shape[:2]))
    left, top = max(0, round(x) - reach), max(0, round(y) - reach)
    window = frame[top : round(y) + reach, left : round(x) + reach]
    matrix = cv2.getRotationMatrix2D((sprite.shape[1] / 2, sprite.shape[0] / 2), tilt, scale)
    matrix[:, 2] += (x - left - sprite.shape[1] / 2, y - top - sprite.shape[0] / 2)
    layer = cv2.warpAffine(sprite, matrix, window.shape[1::-1], flags=cv2.INTER_LINEAR)

    see_through = cv2.cvtColor(255 - layer[..., 3], cv2.COLOR_GRAY2RGB)
    lit = cv2.convertScaleAbs(cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB), alpha=light)
    window[:] = cv2.add(cv2.multiply(window, see_through, scale=1 / 255), lit)


@functools.lru_cache(maxsize=16)
def _sprite(photo: Photo, width: int) -> np.ndarray:
    """The print with its white edge and soft shadow: (h, w, 4) uint8, RGB premultiplied by the alpha in channel 3.

    width: of the picture in pixels, without its edge.
    """
    picture = cv2.resize(_head(photo.person), (width, width), interpolation=cv2.INTER_AREA)
    if photo.mirrored:
        picture = picture[:, ::-1]
    if photo.grey:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    border, chin, margin = (round(part * width) for part in (_BORDER, _CHIN, _MARGIN))
    paper = cv2.copyMakeBorder(picture, border, chin, border, border, cv2.BORDER_CONSTANT, value=(246, 244, 238))
    solid = np.pad(np.ones(paper.shape[:2], np.float32), margin)
    soft = cv2.GaussianBlur(np.roll(solid, round(0.03 * width), axis=0), (0, 0), sigmaX=0.035 * width)
    alpha = solid + (1 - solid) * 0.45 * soft
    rgb = np.pad(paper, ((margin, margin), (margin, margin), (0, 0)))
    return np.dstack([rgb, (255 * alpha).round().astype(np.uint8)])


@functools.cache
def _head(person: str) -> np.ndarray:
    """Head and shoulders of `person`, (h, h, 3) uint8 RGB; Grace Hopper's where that portrait is not installed."""
    if _file_of(person) is None:
        person = "hopper"
    left, top, right, bottom = PORTRAITS[person].head_xyxy
    return portrait(person)[top:bottom, left:right]


def portrait(person: str = "collins") -> np.ndarray:
    """The whole portrait of "collins" (512, 512, 3) or "hopper" (600, 512, 3), uint8 RGB.

    The file is read out of its package without importing it. Raises `UserError` where it is not there.
    """
    path = _file_of(person)
    if path is None:
        file, distribution = PORTRAITS[person].file, PORTRAITS[person].distribution
        raise UserError(f"{file} is not there; it comes with {distribution}: pip install {distribution}.")
    return read_picture(path)


def _file_of(person: str) -> Path | None:
    """Where the portrait lies; None where its package, or the file in it, is not installed."""
    file = Path(PORTRAITS[person].file)
    package = importlib.util.find_spec(file.parts[0])
    folders = package.submodule_search_locations if package else None
    paths = [Path(folder).parent / file for folder in folders or ()]
    return next((path for path in paths if path.is_file()), None)


@functools.lru_cache(maxsize=4)
def _wall(size_hw: tuple[int, int]) -> np.ndarray:
    """A calm wall lit from the top left: (H, W, 3) uint8 RGB. Fixed grain hides the steps of the gradient."""
    height, width = size_hw
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    shade = np.clip(np.hypot(across - 0.25, down - 0.15) / 1.2, 0, 1)[..., None]
    bright, dark = np.array([203.0, 208.0, 205.0]), np.array([126.0, 139.0, 146.0])
    grain = np.random.default_rng(0).normal(scale=1.5, size=(height, width, 1))
    return np.clip(bright + (dark - bright) * shade + grain, 0, 255).astype(np.uint8)
