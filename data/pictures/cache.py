"""One picture of a data set: decoded, and where it is large shrunk once, on disk, for all epochs and processes.

In:  a path, or pixels; which part of them is the face; the side that a network needs.
Out: (H, W, 3) uint8 RGB of at most `side` pixels a side; each side for itself, as training makes faces square.

An entry is named by a digest of the bytes of the picture's file, of its box and of `side`: a picture that was changed
is another entry, and one that stands in two data sets is kept once. Entries carry a digest of themselves; one that is
cut off or changed is made anew. They are renamed into place, so that processes can share the folder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from data.sources.pictures import read_picture
from support import UserError, write_file
from support.process import notify_once

DIGEST = 16  # bytes
VERSION = b"3"  # of the way in which pictures are read and shrunk


class Picture(NamedTuple):
    """Where one picture comes from: a path or grey pixels (H, W) uint8; and which part of it is the face."""

    source: Path | np.ndarray
    box_xyxy: tuple[int, int, int, int] | None = None


def decode(picture: Picture) -> np.ndarray:
    """(H, W, 3) uint8 RGB; grey pixels are spread to three equal channels. Raises `UserError`.

    Whether a JPEG is damaged inside is not asked each time: data/pictures/check.py has.
    """
    source, box = picture
    image = (
        cv2.cvtColor(source, cv2.COLOR_GRAY2RGB)
        if isinstance(source, np.ndarray)
        else read_picture(source, checked=True)
    )
    if box is None:
        return image
    height, width = image.shape[:2]
    left, top, right, bottom = (
        min(max(value, 0), size) for value, size in zip(box, (width, height, width, height), strict=True)
    )
    if left >= right or top >= bottom:
        raise UserError(f"the face's box {box} lies outside of the picture, which is {width} x {height}")
    return np.ascontiguousarray(image[top:bottom, left:right])


def shrink(image: np.ndarray, side: int) -> np.ndarray:
    """(H, W, 3) uint8 with each longer side shrunk to `side`, filtered as by `Preprocess`; a small one stays itself."""
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image
    return np.array(Image.fromarray(image).resize((min(width, side), min(height, side)), Image.Resampling.BILINEAR))


@dataclass(frozen=True)
class PictureCache:
    """Shrinks pictures to `side`, through `folder`; None: without keeping anything."""

    side: int
    folder: Path | None = None

    def shrunk(self, picture: Picture) -> np.ndarray:
        """(H, W, 3) uint8 RGB of `picture`; only those that had to be shrunk are kept. Raises as `decode` does."""
        if self.folder is None or isinstance(picture.source, np.ndarray):
            return shrink(decode(picture), self.side)
        path = self.folder / self._key(picture)
        path = path.parent / path.name[:2] / path.name
        kept = self._load(path)
        if kept is None:
            image = decode(picture)
            kept = shrink(image, self.side)
            if kept is not image:
                self._save(path, kept)
        return kept

    def _key(self, picture: Picture) -> str:
        assert isinstance(picture.source, Path)
        try:
            content = hashlib.blake2b(picture.source.read_bytes(), digest_size=DIGEST)
        except OSError as error:
            raise UserError(f"cannot open {picture.source}: {error.strerror}.") from error
        content.update(VERSION + repr((picture.box_xyxy, self.side)).encode())
        return content.hexdigest()

    @staticmethod
    def _load(path: Path) -> np.ndarray | None:
        try:
            entry = path.read_bytes()
        except OSError:
            return None
        body, found = entry[:-DIGEST], entry[-DIGEST:]
        if hashlib.blake2b(body, digest_size=DIGEST).digest() != found:
            return None
        height, width = np.frombuffer(body[:8], "<u4").tolist()
        return np.frombuffer(body[8:], np.uint8).reshape(height, width, 3)

    @staticmethod
    def _save(path: Path, image: np.ndarray) -> None:
        body = np.array(image.shape[:2], "<u4").tobytes() + np.ascontiguousarray(image).tobytes()
        keep(path, body + hashlib.blake2b(body, digest_size=DIGEST).digest())


def keep(path: Path, content: bytes) -> None:
    """Write what only saves time later; where it cannot be written, each process says so once, and goes on."""
    try:
        write_file(path, content)
    except UserError:
        notify_once(f"nothing can be written in {path.parents[1]}: what is kept there is made anew each time.")
