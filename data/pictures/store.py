"""The pictures of a data set: all decoded in memory, or decoded when they are asked for.

In:  where each picture comes from; how much memory they may take.
Out: `Pictures`, a sequence of (H, W, 3) uint8 RGB that is the same, bit for bit, whichever way they are kept.

Pictures that take more memory than they may stay on disk and are decoded by whoever asks: the threads of `EpochLoader`.
Those larger than a network needs are shrunk, and then kept on disk so (data/pictures/cache.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from data.pictures.cache import Picture, PictureCache, decode
from data.pictures.check import broken_pictures, broken_rows
from support import UserError, notify
from support.cli import ROOT
from support.columns.numbers import rows_at
from support.columns.strings import Strings
from support.memory import free_memory

SAMPLED = 64  # pictures from whose sizes the memory of all is estimated
AHEAD = 32  # pictures that are decoded ahead of a reader that takes them one after another
DECODERS = 2  # threads that do so
SHRUNK = ROOT / ".cache" / "pictures"
# A picture is shrunk to so many times the side that the network takes: changed at random it then is on the average as
# sharp as validation's, which are only resized. More would alias, as the warp has no filter; less would blur.
ENLARGED = 1.5
Images = Sequence[np.ndarray] | np.ndarray
Box = tuple[int, int, int, int]


class Sources(Sequence[Picture]):
    """Where N pictures come from, in few bytes each; of one set all are files or all pixels, all have a box or none."""

    def __init__(self, pictures: Iterable[tuple[Path | str | np.ndarray, Box | None]] = ()) -> None:
        self.pixels: list[np.ndarray] = []
        self.paths = Strings()
        self._boxes = array("i")  # four numbers a picture
        for source, box in pictures:
            self.append(source, box)

    def append(self, source: Path | str | np.ndarray, box: Box | None) -> None:
        """One more picture at the end."""
        if isinstance(source, np.ndarray):
            self.pixels.append(source)
        else:
            self.paths.append(str(source))
        self._boxes.extend(box or ())

    def __len__(self) -> int:
        return len(self.pixels) or len(self.paths)

    def __iter__(self) -> Iterator[Picture]:
        sources: Iterable[Path | np.ndarray] = self.pixels or map(Path, self.paths)
        for row, source in enumerate(sources):
            yield Picture(source, self._box(row))

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray) -> Sources: ...
    def __getitem__(self, index: int | slice | np.ndarray) -> Picture | Sources:
        if isinstance(index, (slice, np.ndarray)):
            rows = rows_at(index, len(self))
            some = Sources()
            some.pixels = [self.pixels[row] for row in rows.tolist()] if self.pixels else []
            some.paths = Strings() if self.pixels else self.paths[rows]
            if self._boxes:
                some._boxes = array("i", np.frombuffer(self._boxes, np.int32).reshape(-1, 4)[rows].tobytes())
            return some
        row = range(len(self))[index]
        return Picture(self.pixels[row] if self.pixels else Path(self.paths[row]), self._box(row))

    def _box(self, row: int) -> Box | None:
        if not self._boxes:
            return None
        left, top, right, bottom = self._boxes[4 * row : 4 * row + 4]
        return left, top, right, bottom


class Pictures(Sequence[np.ndarray]):
    """N pictures, (H, W, 3) uint8 RGB each. An index gives one; a slice or an array of rows, more `Pictures`."""

    def __init__(
        self,
        sources: Sources,
        decoded: Sequence[np.ndarray] | None = None,
        cache: PictureCache | None = None,
    ) -> None:
        self.sources, self.decoded, self.cache = sources, decoded, cache

    @classmethod
    def joined(cls, parts: Sequence[Pictures]) -> Pictures:
        """All pictures of `parts`, at least one; in memory where all parts are."""
        decoded = [part.decoded for part in parts if part.decoded is not None]
        return cls(
            Sources(source for part in parts for source in part.sources),
            [image for images in decoded for image in images] if len(decoded) == len(parts) else None,
            parts[0].cache,
        )

    def __len__(self) -> int:
        return len(self.sources)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray) -> Pictures: ...
    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray | Pictures:
        if isinstance(index, (slice, np.ndarray)):
            rows = rows_at(index, len(self))
            decoded = None if self.decoded is None else [self.decoded[row] for row in rows.tolist()]
            return Pictures(self.sources[rows], decoded, self.cache)
        return self.decoded[index] if self.decoded is not None else self.read(self.sources[index])

    def __iter__(self) -> Iterator[np.ndarray]:
        if self.decoded is not None:
            yield from self.decoded
            return
        with ThreadPoolExecutor(DECODERS) as pool:
            for start in range(0, len(self), AHEAD):
                rows = range(start, min(start + AHEAD, len(self)))
                yield from pool.map(self.read, [self.sources[row] for row in rows])

    def unshrunk(self) -> Pictures:
        """The same as they are in their data set; where these shrink, each is decoded when it is asked for."""
        return Pictures(self.sources) if self.cache else self

    def read(self, picture: Picture) -> np.ndarray:
        """Decode `picture`, shrunk where that is wanted."""
        return self.cache.shrunk(picture) if self.cache else decode(picture)


def content_sizes(images: Images | Pictures, rows: np.ndarray) -> np.ndarray:
    """(M,) uint64 bytes of each of the pictures `rows` as their data set has them: of its file, or of its pixels.

    Different sizes, different pictures.
    """
    if isinstance(images, Pictures) and not images.sources.pixels:
        return np.fromiter((os.stat(path).st_size for path in images.sources.paths[rows]), np.uint64, len(rows))
    pixels = images.sources.pixels if isinstance(images, Pictures) else images
    return np.fromiter((pixels[row].nbytes for row in rows.tolist()), np.uint64, len(rows))


def digests(images: Images | Pictures, rows: np.ndarray, *, last: int | None = None) -> np.ndarray:
    """(M,) uint64 that stand for the bytes of the pictures `rows` as their data set has them, and for their boxes.

    last: of a file only so many bytes at its end count.
    """
    pictures: Iterable[Picture] = (
        images.sources[rows] if isinstance(images, Pictures) else (Picture(images[row]) for row in rows.tolist())
    )
    return np.fromiter((_digest(picture, last) for picture in pictures), np.uint64, len(rows))


def _digest(picture: Picture, last: int | None) -> int:
    if isinstance(picture.source, np.ndarray):
        content = np.ascontiguousarray(picture.source).tobytes()
    else:
        with open(picture.source, "rb", buffering=0) as file:
            if last is not None:
                file.seek(max(file.seek(0, os.SEEK_END) - last, 0))
            content = file.read()
    return int.from_bytes(hashlib.blake2b(content + repr(picture.box_xyxy).encode(), digest_size=8).digest())


@dataclass(frozen=True)
class Storage:
    """How the pictures of a split are kept.

    memory: share of the free memory that they may take decoded, 0 to 1; more, and they stay on disk. None: any amount.
    cache: shrinks them; keeps the result on disk only where they stay there. None: they keep their size.
    check: decode all once, also where they stay on disk, to tell the broken ones; False: only missing ones are told.
    """

    memory: float | None = None
    cache: PictureCache | None = None
    check: bool = True

    def store(self, pictures: Sources) -> tuple[Pictures, dict[int, str]]:
        """The pictures that can be decoded; and what is wrong with the others, by their row in `pictures`."""
        if not self.check:
            broken = missing_pictures(pictures)
            return Pictures(_without(pictures, broken), None, self.cache), broken
        plain = self.cache and dataclasses.replace(self.cache, folder=None)
        stored = Pictures(pictures, cache=plain)
        if self.memory is None or self.estimate(stored) <= self.memory * free_memory():
            decoded: list[np.ndarray] = []
            broken = broken_rows(pictures, lambda picture: decoded.append(stored.read(picture)))
            return Pictures(_without(pictures, broken), decoded, plain), broken
        notify(f"{len(pictures)} pictures take more memory than --memory allows: they are decoded as they are used")
        broken = broken_pictures(pictures, self.cache)
        return Pictures(_without(pictures, broken), None, self.cache), broken

    @staticmethod
    def estimate(pictures: Pictures) -> float:
        """Bytes that all pictures take decoded, from the sizes of some spread over them."""
        sizes = []
        for row in range(0, len(pictures), max(len(pictures) // SAMPLED, 1)):
            try:
                sizes.append(pictures[row].nbytes)
            except UserError:  # a fault, which is told when all are decoded
                continue
        return len(pictures) * (sum(sizes) / len(sizes)) if sizes else 0.0


def training_storage(memory: float, *, side: int, folder: Path | None = None) -> Storage:
    """How training keeps its pictures, for a network that takes `side` pixels.

    The processes of one machine share its memory. folder: has the shrunk ones; None: `SHRUNK`.
    """
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return Storage(memory / processes, PictureCache(round(ENLARGED * side), folder or SHRUNK))


def missing_pictures(pictures: Sequence[Picture]) -> dict[int, str]:
    """What is wrong with files that are not there, by row; nothing is decoded."""
    broken = {}
    for row, picture in enumerate(pictures):
        try:
            if not isinstance(picture.source, np.ndarray):
                picture.source.stat()
        except OSError as error:
            broken[row] = f"cannot open {picture.source}: {error.strerror}."
    return broken


def _without(pictures: Sources, broken: dict[int, str]) -> Sources:
    return pictures[np.delete(np.arange(len(pictures)), list(broken))] if broken else pictures
