"""Long films in stretches, so that one film keeps all cores busy.

In:  a film's file.
Out: its `Stretch`es; the frames of one, with the numbers and times that they have in the whole film.

A stretch is read from a key frame on, and analysed from `OVERLAP_S` before its first frame, so that tracks and their
smoothing are by then what they would be in the whole film. A film is cut only where its packets say which frame is
which: each has a time of its own. What is found to differ while it is decoded, as damage, raises `NotCuttable`: such a
film is read in one go.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.container

from data.sources.files import open_file
from data.sources.film import ALONE, FALLBACK_FPS, SHORT_BY_FRAMES, moving_streams
from data.sources.film_decoding import whole_frames
from data.sources.film_picture import FilmPicture
from data.sources.film_times import FilmTimes
from data.sources.frame import Frame, Skipped
from support import UserError

OVERLAP_S, OVERLAP_FRAMES = 10.0, 25  # before a stretch: the longer of the two, of frames that are analysed
LEAST = 2.5  # a stretch is at least so many overlaps long


class NotCuttable(Exception):
    """The film is to be read in one go."""


@dataclass(frozen=True)
class Stretch:
    """Frames `first` to `last` - 1 of a film; `last` None: to the end, which comes after `total` frames.

    start: the first frame that is analysed. key: the key frame that decoding starts at. key_time,
    film_time, last_time: the time stamps of that frame, of the film's first frame and of frame `last`, in seconds.
    """

    number: int
    count: int
    first: int
    last: int | None
    start: int
    key: int
    key_time: Fraction
    film_time: Fraction
    last_time: Fraction | None
    total: int
    promised: int | None


def stretches_of(
    path: str, *, stretch_s: float, step: int = 1, alive: Callable[[], None] = lambda: None
) -> list[Stretch]:
    """The stretches of a film, about `stretch_s` seconds each; [] where it is short, or is to be read in one go.

    step: every `step`-th of its frames is analysed. alive: called again and again, while the file is read through
    without being decoded.
    """
    try:
        with open_file(path) as file, av.open(file, "r", options=ALONE) as container:
            stream = _stream(container)
            promised, rate = stream.frames or None, float(stream.average_rate or FALLBACK_FPS)
            stamps, keys = _stamps(container, stream, alive)
    except (av.FFmpegError, OSError, ValueError, UserError, NotCuttable):
        return []
    if promised and promised - len(stamps) > SHORT_BY_FRAMES:
        return []
    overlap_s = max(OVERLAP_S, OVERLAP_FRAMES * step / rate)
    cuts = _cuts(stamps, keys, stretch_s=max(stretch_s, LEAST * overlap_s), overlap_s=overlap_s)
    ends = [first for first, _, _ in cuts[1:]] + [None]
    return [
        Stretch(
            number=number, count=len(cuts), first=first, last=last, start=start, key=key, key_time=stamps[key],
            film_time=stamps[0], last_time=None if last is None else stamps[last], total=len(stamps), promised=promised,
        )
        for number, ((first, start, key), last) in enumerate(zip(cuts, ends, strict=True))
    ] if len(cuts) > 1 else []  # fmt: skip


def _stream(container: av.container.InputContainer) -> av.VideoStream:
    """The stream that is read where the film is read in one go; `NotCuttable` where there is none, which that says."""
    try:
        return moving_streams(container, container.name)[0]
    except UserError as error:
        raise NotCuttable from error


def _stamps(
    container: av.container.InputContainer, stream: av.VideoStream, alive: Callable[[], None]
) -> tuple[list[Fraction], list[int]]:
    """The time of each frame, in order, and which are key frames; `NotCuttable` where packets do not tell."""
    found: list[tuple[Fraction, bool]] = []
    for packet in container.demux(stream):
        if packet.pts is None or packet.is_corrupt or packet.is_discard:
            if packet.size == 0:  # the end
                break
            raise NotCuttable
        alive()
        found.append((packet.pts * packet.time_base, packet.is_keyframe))
    found.sort()
    stamps = [stamp for stamp, _ in found]
    if not found or not found[0][1] or len(set(stamps)) < len(stamps):
        raise NotCuttable
    return stamps, [index for index, (_, is_key) in enumerate(found) if is_key]


def _cuts(stamps: list[Fraction], keys: list[int], *, stretch_s: float, overlap_s: float) -> list[tuple[int, int, int]]:
    """(first, start, key) of each stretch; a cut is left out where its key frame lies too far before it."""
    cuts = [(0, 0, 0)]
    until = stamps[-1] - Fraction(overlap_s)  # the rest goes with the stretch before
    length = Fraction(stretch_s)
    target = stamps[0] + length
    while target < until:
        first, start = (bisect.bisect_left(stamps, time) for time in (target, target - Fraction(overlap_s)))
        key = keys[bisect.bisect_right(keys, start) - 1]
        if key >= cuts[-1][0] and first > start:
            cuts.append((first, start, key))
        target += length * max(1, math.ceil((stamps[first] - target) / length))  # over a jump of the clock in one step
    return cuts


def stretch_frames(
    path: str, name: str, stretch: Stretch, *, alive: Callable[[], None] = lambda: None
) -> Iterator[Frame | Skipped]:
    """The frames of a stretch from `start` on, with numbers and times of the whole film, and what is said between them.

    alive: called again and again, also while what comes before is decoded. Raises `NotCuttable` where the film is not
    what its packets said.
    """
    with open(path, "rb") as file, av.open(file, "r", options=ALONE) as container:
        stream = _stream(container)
        time_base = stream.time_base or Fraction(1, 1)
        container.seek(int(stretch.key_time / time_base), stream=stream)
        picture = FilmPicture(stream.sample_aspect_ratio)
        times = FilmTimes(1 / float(stream.average_rate or FALLBACK_FPS))
        if stretch.number:
            times.next(float(stretch.film_time))
        index = stretch.key
        for decoded in _from_key_frame(whole_frames(container, stream), stretch):
            time_s, missing = times.next(decoded.time)
            alive()
            if index >= stretch.start:
                if missing:
                    yield Skipped(name, index, times.pause(missing), frames=missing, path=Path(path), pause=True)
                yield Frame(picture.rgb(decoded), time_s=time_s, index=index, name=name, path=Path(path))
            index += 1
        if index != (stretch.total if stretch.last is None else stretch.last):
            raise NotCuttable


def _from_key_frame(decoded: Iterator[av.VideoFrame | int], stretch: Stretch) -> Iterator[av.VideoFrame]:
    """The frames from the key frame to the stretch's end, whole ones only."""
    begun = False
    for frame in decoded:
        if isinstance(frame, int):
            if begun:
                raise NotCuttable
            continue
        if frame.pts is None or frame.time_base is None:
            raise NotCuttable
        at = frame.pts * frame.time_base
        if not begun and at < stretch.key_time:
            continue
        if not begun and at != stretch.key_time:
            raise NotCuttable
        begun = True
        if stretch.last_time is not None and at >= stretch.last_time:
            return
        yield frame
