"""Units of work: what one process does in one go and writes as one file.

In:  sources.
Out: `Unit`s: some pictures, some short films, one film, or a stretch of a long one (`pipeline.archive.stretches`).

Which units there are depends on the sources alone, not on how many processes do them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.archive.sources import Source
from pipeline.archive.stretches import Stretch

FACES, STRETCHES, HEATMAPS = "faces", ".stretches", "_heatmaps"  # folders of the results
UNITS = 64  # wanted at least, so that few sources keep many cores busy, too
MOST_PICTURES = 100
MOST_FILMS, MOST_BYTES = 20, 32 * 2**20  # of short films, which need no stretches


@dataclass(frozen=True)
class Unit:
    """sources: one, where there is a stretch. sha256: of the film that is cut. whole: the film is not to be cut."""

    sources: tuple[Source, ...]
    stretch: Stretch | None = None
    sha256: str = ""
    whole: bool = False

    @property
    def key(self) -> str:
        """16 hexadecimal digits that name what it is about: for a stretch, its film and own columns as they are now."""
        own = [repr(source.own) for source in self.sources if self.sha256]
        return _digest("\n".join([*(source.place for source in self.sources), self.sha256, *own]))

    @property
    def name(self) -> str:
        """The file that it writes."""
        if self.stretch is None:
            return f"{FACES}/part-{self.key}.parquet"
        return f"{stretches_folder(self.sources[0])}/{self.key}/{self.stretch.number:05d}.parquet"

    @property
    def heatmaps_name(self) -> str:
        """The file of its heatmaps: means, or of a stretch sums."""
        if self.stretch is None:
            return f"{HEATMAPS}/part-{self.key}.parquet"
        return f"{stretches_folder(self.sources[0])}/{self.key}-heatmaps/{self.stretch.number:05d}.parquet"

    @property
    def is_film(self) -> bool:
        """Is it one film, which may be cut?"""
        return len(self.sources) == 1 and not self.sources[0].is_picture and self.stretch is None and not self.whole

    @property
    def film(self) -> Unit:
        """The unit whose file the stretches of a film become."""
        return replace(self, stretch=None, whole=True)

    def alone(self) -> list[Unit]:
        """The same work with each source by itself, and films in one go: cutting may be what failed."""
        if self.stretch:
            return [self]
        return [Unit((source,), whole=not source.is_picture) for source in self.sources]


def stretches_folder(source: Source) -> str:
    """The folder of a film's stretches, of all that it has held."""
    return f"{STRETCHES}/{_digest(source.place)}"


def _digest(text: str) -> str:
    """16 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def units_of(sources: Sequence[tuple[Source, int]]) -> Iterator[Unit]:
    """Units of (source, bytes), in order: where there are many, pictures share a unit, and so do small files of films.

    No two sources of a unit have the same name, which identifies rows: bytes that are no text look like their codes.
    """
    share = max(1, len(sources) // UNITS)
    group: list[Source] = []
    group_bytes = 0
    for source, size in sources:
        most = min(share, MOST_PICTURES if source.is_picture else MOST_FILMS)
        fits = source.is_picture or group_bytes + size <= MOST_BYTES
        fits = fits and source.name not in (one.name for one in group)
        if group and (group[0].is_picture != source.is_picture or len(group) >= most or not fits):
            yield Unit(tuple(group))
            group, group_bytes = [], 0
        group.append(source)
        group_bytes += size
    if group:
        yield Unit(tuple(group))
