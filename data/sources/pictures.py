"""Pictures: one, those of a folder, or those that fit a pattern.

In:  the name of a file, of a folder, or a pattern such as `holiday/*.jpg`.
Out: (H, W, 3) uint8 RGB; or a `FileSource` of such frames, one second apart.

Files are read here and given to OpenCV as bytes, for the reason that `data.sources.film` tells.
"""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from data.sources.frame import FileSource, Frame
from support import FAILED, UserError

log = logging.getLogger(__name__)

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".jp2", ".ppm", ".pgm", ".pnm")
PICTURE_SECONDS = 1.0


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
