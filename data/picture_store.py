"""The pictures of a data set: all decoded in memory, or decoded when they are asked for.

In:  paths, or pixels; a budget of memory.
Out: `Pictures`, a sequence of (H, W, 3) uint8 RGB that is the same, bit for bit, whichever way they are kept.

Pictures that take more memory than the budget stay on disk and are decoded by whoever asks: the threads of
`EpochLoader`. Those larger than a network needs are shrunk once (data/picture_cache.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import overload

import numpy as np

from data.picture_cache import Picture, PictureCache, decode
from support import UserError
from support.jpeg_damage import JpegDamage

SAMPLED = 64  # pictures from whose sizes the memory of all is estimated
AHEAD = 32  # pictures that are decoded ahead of who reads them one after another
DECODERS = 2  # threads that do so


class Pictures(Sequence[np.ndarray]):
    """N pictures, (H, W, 3) uint8 RGB each. An index gives one; a slice or an array of rows, more `Pictures`."""

    def __init__(
        self,
        sources: Sequence[Picture],
        decoded: Sequence[np.ndarray] | None = None,
        cache: PictureCache | None = None,
    ) -> None:
        self.sources, self.decoded, self.cache = sources, decoded, cache

    @classmethod
    def joined(cls, parts: Sequence[Pictures]) -> Pictures:
        """All pictures of `parts`, at least one; in memory where all parts are."""
        decoded = [part.decoded for part in parts if part.decoded is not None]
        return cls(
            [source for part in parts for source in part.sources],
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
            rows = np.arange(len(self))[index].tolist()
            decoded = None if self.decoded is None else [self.decoded[row] for row in rows]
            return Pictures([self.sources[row] for row in rows], decoded, self.cache)
        return self.decoded[index] if self.decoded is not None else self._read(self.sources[index])

    def __iter__(self) -> Iterator[np.ndarray]:
        if self.decoded is not None:
            yield from self.decoded
            return
        with ThreadPoolExecutor(DECODERS) as pool:
            for start in range(0, len(self), AHEAD):
                yield from pool.map(self._read, self.sources[start : start + AHEAD])

    def _read(self, picture: Picture) -> np.ndarray:
        return self.cache.shrunk(picture) if self.cache else decode(picture)


def refuse_damage(picture: Picture, damage: JpegDamage) -> None:
    """Raise `UserError` where a stretch inside the picture's file is damaged."""
    if not isinstance(picture.source, np.ndarray) and (words := damage.find(picture.source.read_bytes())):
        raise UserError(f"{picture.source} is damaged, and would be trained on: {words}")


def content_size(images: Sequence[np.ndarray] | np.ndarray | Pictures, row: int) -> int:
    """Bytes of a picture as its data set has it: of its file, or of its pixels. Different sizes, different pictures."""
    source = images.sources[row].source if isinstance(images, Pictures) else images[row]
    return source.nbytes if isinstance(source, np.ndarray) else source.stat().st_size


def digest(images: Sequence[np.ndarray] | np.ndarray | Pictures, row: int) -> bytes:
    """16 bytes that stand for the bytes of a picture as its data set has it, and for its box."""
    picture = images.sources[row] if isinstance(images, Pictures) else Picture(images[row])
    source = picture.source
    content = np.ascontiguousarray(source).tobytes() if isinstance(source, np.ndarray) else source.read_bytes()
    return hashlib.blake2b(content + repr(picture.box_xyxy).encode(), digest_size=16).digest()


@dataclass(frozen=True)
class Storage:
    """How the pictures of a split are kept.

    memory: bytes that they may take decoded; more, and they stay on disk. None: any number.
    cache: shrinks them and keeps the result on disk; None: they stay as large as they are.
    check: decode all once, also where they stay on disk, and tell the broken ones.
    """

    memory: float | None = None
    cache: PictureCache | None = None
    check: bool = True

    def store(self, pictures: Sequence[Picture]) -> tuple[Pictures, dict[int, str]]:
        """The pictures that can be decoded; and what is wrong with the others, by their row in `pictures`."""
        stored = Pictures(pictures, cache=self.cache)
        in_memory = self.memory is None or self.estimate(stored) <= self.memory
        if not in_memory and not self.check:
            return stored, {}
        decoded: list[np.ndarray] = []
        broken: dict[int, str] = {}
        with JpegDamage() as damage:
            for row in range(len(pictures)):
                try:
                    image = stored[row]
                    refuse_damage(pictures[row], damage)
                except UserError as error:
                    broken[row] = str(error)
                    continue
                if in_memory:
                    decoded.append(image)
        good = [picture for row, picture in enumerate(pictures) if row not in broken]
        return Pictures(good, decoded if in_memory else None, self.cache), broken

    @staticmethod
    def estimate(pictures: Pictures) -> float:
        """Bytes that all pictures take decoded, from the sizes of some spread over them."""
        step = max(len(pictures) // SAMPLED, 1)
        sizes = []
        for row in range(0, len(pictures), step):
            try:
                sizes.append(pictures[row].nbytes)
            except UserError:  # a fault, which is told when all are decoded
                continue
        return len(pictures) * (sum(sizes) / len(sizes)) if sizes else 0.0
