"""What an archive will take, before it is begun: python -m pipeline.archive SOURCES --out results --dry-run

In:  sources, what is asked of them.
Out: sentences: how many films, hours and pictures, faces a frame by a sample, how long it will take.
"""

from __future__ import annotations

import contextlib
import io
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from data.sources.film import open_film, open_film_file
from data.sources.frame import Frame, FrameSource
from data.sources.pictures import open_picture
from pipeline.archive.analysis import Analysis
from pipeline.archive.progress import duration
from pipeline.archive.results.store import is_address, open_place
from pipeline.archive.sources import Source, local_copy
from support import UserError, count

SAMPLE = 20  # frames of films, and of pictures, that are analysed
MOST_OPENED = 200  # films that are asked for their length; of more, so many stand for all
READ_AT_ONCE = 2**18  # bytes of a film at an address, which is not copied
LATEST = 100  # frames into a film, from which one is taken at most


@dataclass
class Sampled:
    """Sums over sampled frames of one kind of source, films or pictures."""

    frames: int = 0
    faces: int = 0
    reading_s: float = 0.0
    networks_s: float = 0.0

    def add(self, faces: int, reading_s: float, networks_s: float) -> None:
        """One frame."""
        self.frames, self.faces = self.frames + 1, self.faces + faces
        self.reading_s, self.networks_s = self.reading_s + reading_s, self.networks_s + networks_s


def estimate(sources: Sequence[Source], analysis: Analysis, *, jobs: int) -> Iterator[str]:
    """The sentences. Raises nothing for what cannot be read: it is left out of the sample."""
    pictures = [source for source in sources if source.is_picture]
    films = [source for source in sources if not source.is_picture]
    chance = random.Random(0)
    seconds, frames = _length(films, chance)
    length = f"{count(len(films), 'film')} of {duration(seconds)}, {count(round(frames), 'frame')}"
    yield f"{length}; {count(len(pictures), 'picture')}"
    sampled = {True: Sampled(), False: Sampled()}
    pipeline = analysis.pipeline()
    chosen = [source for kind in (films, pictures) for source in chance.sample(kind, min(SAMPLE, len(kind)))]
    for source in chosen:
        try:
            frame, reading_s = _a_frame(source, chance)
        except (UserError, OSError):
            continue
        start_s = time.perf_counter()
        own = analysis.imgsz is None and source.is_picture
        faces = pipeline.detect([frame.image_rgb], imgsz=[None] if own else None)
        result = pipeline.predict([frame.image_rgb], faces)[0]
        sampled[source.is_picture].add(len(result.faces), reading_s, time.perf_counter() - start_s)
    if not (sample := sum(one.frames for one in sampled.values())):
        yield "no frame of a sample could be read"
        return
    analysed = {True: len(pictures), False: frames / analysis.step}
    weights = {kind: max(1.0, analysed[kind]) for kind in sampled if sampled[kind].frames}  # a film may name no length
    faces_each = sum(sampled[kind].faces / sampled[kind].frames * weights[kind] for kind in weights)
    yield f"{faces_each / sum(weights.values()):.1f} faces a frame, by a sample of {sample}"
    needed = _needed(sampled[False], frames, analysed[False]) + _needed(sampled[True], len(pictures), analysed[True])
    yield f"about {needed / 3600:.2f} core hours, {duration(needed / jobs)} on {count(jobs, 'process', 'processes')}"


def _needed(sampled: Sampled, read: float, analysed: float) -> float:
    """Seconds for so many frames that are read and analysed; none were sampled: 0."""
    if not sampled.frames:
        return 0.0
    return (sampled.reading_s * read + sampled.networks_s * analysed) / sampled.frames


def _length(films: Sequence[Source], chance: random.Random) -> tuple[float, float]:
    """Seconds and frames of all films."""
    asked = films if len(films) <= MOST_OPENED else chance.sample(list(films), MOST_OPENED)
    seconds = frames = 0.0
    for film in asked:
        try:
            with _film(film) as source:
                frames += source.count or 0
                seconds += (source.count or 0) / (source.fps or 30.0)
        except (UserError, OSError):
            continue
    share = len(films) / max(1, len(asked))
    return seconds * share, frames * share


@contextlib.contextmanager
def _film(source: Source) -> Iterator[FrameSource]:
    """A film, of which no more is read than is asked for; at an address, too."""
    if not is_address(source.path):
        with open_film(source.path) as film:
            yield film
        return
    filesystem, root = open_place(source.path)
    with (
        filesystem.open_input_file(root) as remote,
        io.BufferedReader(remote, READ_AT_ONCE) as file,
        open_film_file(file, name=source.name) as film,
    ):
        yield film


@contextlib.contextmanager
def _picture(source: Source) -> Iterator[FrameSource]:
    with local_copy(source.path) as path, open_picture(path) as picture:
        yield picture


def _a_frame(source: Source, chance: random.Random) -> tuple[Frame, float]:
    """A frame of a source, of a film not always its first, and the seconds that reading one took."""
    wanted = 1 if source.is_picture else chance.randint(2, LATEST)
    start_s, read = time.perf_counter(), 0
    with _picture(source) if source.is_picture else _film(source) as opened:
        opened.max_frames = wanted
        frame = opened.read()
        start_s = start_s if source.is_picture else time.perf_counter()
        for read, frame in enumerate(opened, start=1):  # noqa: B007 - the last one is wanted
            pass
    if frame is None:
        raise UserError(f"{source.name} holds no frame.")
    return frame, (time.perf_counter() - start_s) / max(1, read)
