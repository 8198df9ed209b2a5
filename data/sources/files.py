"""Sources that wait to be read: video files, single pictures, folders and globs of pictures.

In:  the name of a file, of a folder, or a pattern such as `holiday/*.jpg`.
Out: `FileSource`; a video's frames carry their own times, pictures come one second apart.

Files are opened here and given to OpenCV as bytes: names that are not valid UTF-8 crash its own readers, and on Windows
it does not find names outside ASCII.
"""

from __future__ import annotations

import glob
import itertools
import logging
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from data.sources.frame import FileSource, Frame
from support import FAILED, UserError

log = logging.getLogger(__name__)

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".jp2", ".ppm", ".pgm", ".pnm")
PICTURE_SECONDS = 1.0
FALLBACK_FPS = 30.0  # spaces the frames of a video that names neither rate nor times


# ---------------------------------------------------------------------------------------------------------------------
# Video
# ---------------------------------------------------------------------------------------------------------------------


def open_video(path: str | Path) -> FileSource:
    """The frames of a video file; `UserError` where it is missing or not a video."""
    try:
        file = open(path, "rb")  # noqa: SIM115 - the recording closes it
    except OSError as error:
        raise UserError(f"cannot open {printable(path)}: {error.strerror}.") from error
    return video_recording(cv2.VideoCapture(file, cv2.CAP_FFMPEG, []), name=printable(path), release=file.close)


def video_recording(capture: cv2.VideoCapture, *, name: str, release: Callable[[], None] = lambda: None) -> FileSource:
    """The frames of an open `capture`; `release` is called after the capture's own."""

    def close() -> None:
        capture.release()
        release()

    if not capture.isOpened():
        close()
        raise UserError(f"{name} is not a video that OpenCV can read.")
    fps = capture.get(cv2.CAP_PROP_FPS)
    fps = fps if math.isfinite(fps) and fps > 0 else None
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    frames = _video_frames(capture, name=name, step_s=1 / (fps or FALLBACK_FPS))
    return FileSource(name, frames, fps=fps, count=count if count > 0 else None, release=close)


def _video_frames(capture: cv2.VideoCapture, *, name: str, step_s: float) -> Iterator[Frame]:
    """Frames with the file's own times; where these stand still, as in files without any, `step_s` apart."""
    start_s = time_s = 0.0
    for index in itertools.count():
        came, image_bgr = capture.read()
        if not came:
            break
        stamp_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if index == 0:
            start_s = stamp_s
        else:
            time_s = stamp_s - start_s if stamp_s - start_s > time_s else time_s + step_s
        yield Frame(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), time_s=time_s, index=index, name=name)
    if index == 0:
        raise UserError(f"{name} opens as a video but holds no frame that OpenCV can read.")


# ---------------------------------------------------------------------------------------------------------------------
# Pictures
# ---------------------------------------------------------------------------------------------------------------------


def read_picture(path: str | Path) -> np.ndarray:
    """A picture of any kind as (H, W, 3) uint8 RGB, turned upright by its EXIF orientation.

    Grey is spread to three channels, 16 bits are scaled to 8, transparency is dropped. Raises `UserError`.
    """
    try:
        encoded = Path(path).read_bytes()
        image_rgb = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB) if encoded else None
    except OSError as error:
        raise UserError(f"cannot open {printable(path)}: {error.strerror}.") from error
    except cv2.error as error:
        raise UserError(f"{printable(path)} is broken or too large; OpenCV takes up to 2^30 pixels.") from error
    if image_rgb is None:
        raise UserError(f"{printable(path)} is not a picture that OpenCV can read.")
    return image_rgb


def open_pictures(name: str) -> FileSource:
    """One picture, those of a folder, or those that fit a pattern, in natural order; `UserError` where there are none.

    Among several, a file that cannot be read is skipped with a warning.
    """
    if os.path.isdir(name):
        pattern = os.path.join(glob.escape(name), "*")
    elif glob.has_magic(name) and not os.path.exists(name):
        pattern = name
    else:
        frame = Frame(read_picture(name), time_s=0.0, index=0, name=printable(os.path.basename(name)))
        return FileSource(printable(name), iter([frame]), count=1, stills=True)
    paths = [Path(match) for match in glob.glob(pattern, recursive=True) if is_picture(match)]
    if not paths:
        raise UserError(f"no pictures in {printable(name)}; wanted are {', '.join(PICTURE_SUFFIXES)}.")
    frames = _picture_frames(sorted(paths, key=_natural), name=printable(name))
    return FileSource(printable(name), frames, count=len(paths), stills=True)


def _picture_frames(paths: list[Path], *, name: str) -> Iterator[Frame]:
    index = 0
    for path in paths:
        try:
            image_rgb = read_picture(path)
        except UserError as error:
            log.warning("skipped: %s", error)
            continue
        yield Frame(image_rgb, time_s=index * PICTURE_SECONDS, index=index, name=printable(path.name))
        index += 1
    if index == 0:
        raise UserError(f"none of the {len(paths)} pictures in {name} could be read.", exit_code=FAILED)


def is_picture(path: str | Path) -> bool:
    """Does the name end like a picture's?"""
    return Path(path).suffix.lower() in PICTURE_SUFFIXES


def printable(path: str | Path) -> str:
    """The path as text that any output takes: bytes that are not UTF-8 become question marks in a box."""
    return os.fsencode(path).decode("utf-8", errors="replace")


def _natural(path: Path) -> list[str | int]:
    """A sort key by which 2.jpg comes before 10.jpg."""
    return [int(part) if part.isdecimal() else part.lower() for part in re.split(r"(\d+)", str(path))]
