"""Film files, frame by frame, through PyAV: whatever FFmpeg's libraries read.

In:  the name of a film, or its address.
Out: a `FileSource`; frames carry the file's own times, stand upright, have square pixels and sRGB colours. What is
     damaged or missing is skipped and said.

Files are opened here and given to PyAV as streams: any name works, and none is taken for an address or a list. Nor does
one lead to other files or addresses, as playlists do.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.container
from av.stream import Disposition

from data.sources.files import open_file, printable
from data.sources.film_colours import HDR_CURVES
from data.sources.film_decoding import whole_frames
from data.sources.film_picture import OTHER_MATRICES, FilmPicture
from data.sources.film_times import FilmTimes
from data.sources.frame import FileSource, Frame, Skipped
from support import FAILED, UserError

FALLBACK_FPS = 30.0  # spaces the frames of a film that names neither rate nor times
WITHOUT_HEADER = ("mpeg", "mpegts", "gif")  # whose length is a guess
CONNECT_S, READ_S = 10.0, 10.0  # how long an address may take
SHORT_BY_S, SHORT_BY_FRAMES = 0.25, 3  # a film that ends earlier than it says by less than this is whole

ALONE = {"protocol_whitelist": "none"}  # for `av.open`: what the file names is not opened

log = logging.getLogger(__name__)

av.logging.set_level(None)  # FFmpeg's own lines stay off the screen: what fails is said in our words


def open_film(path: str | Path, *, name: str | None = None) -> FileSource:
    """The frames of a film; `name`: what they are called, by default the file's name.

    Raises `UserError` where it is missing, not a film, or no ordinary file.
    """
    with contextlib.ExitStack() as opened:  # the source closes it
        file, name = opened.enter_context(open_file(path)), name or printable(os.path.basename(path))
        if not os.fstat(file.fileno()).st_size:
            raise UserError(f"{printable(path)} is empty: a file of 0 bytes; copy or record it again.")
        return _film(file, opened, title=printable(path), name=name, path=Path(path))


def open_film_file(file: BinaryIO, *, name: str) -> FileSource:
    """The frames of a film in an open file, called `name`; `UserError` where there is none. The file stays open."""
    with contextlib.ExitStack() as opened:
        return _film(file, opened, title=name, name=name)


def open_film_at(url: str, *, name: str) -> FileSource:
    """The frames of a film at an address, called `name`; `UserError` where there is none that ends."""
    with contextlib.ExitStack() as opened:
        return _film(url, opened, title=name, name=name, timeout=(CONNECT_S, READ_S))


def _film(
    opened: Any,
    resources: contextlib.ExitStack,
    *,
    title: str,
    name: str,
    path: Path | None = None,
    timeout: tuple[float, float] | None = None,
) -> FileSource:
    """The film in `opened`, a file or an address; the source takes over what `resources` closes."""
    try:
        container = resources.enter_context(av.open(opened, timeout=timeout, options={} if timeout else ALONE))
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{title} is not a video that can be read ({reason}).") from error
    streams = moving_streams(container, title)
    film = Film(container, streams[0], title=title, name=name, path=path)
    source = FileSource(title, film.frames(), fps=film.fps, count=film.expected, release=resources.pop_all().close)
    source.promised = film.promised
    if len(streams) > 1:
        source.tell(f"{title} holds {len(streams)} films; the first is read, the others are not.")
    if curve := HDR_CURVES.get(film.stream.codec_context.color_trc):
        source.tell(f"{title} is an HDR film ({curve}); its colours are mapped to those of an ordinary screen.")
    if matrix := OTHER_MATRICES.get(film.stream.codec_context.colorspace):
        advice = "they may look wrong; save it as BT.709"
        source.tell(f"{title} stores its colours as {matrix}, which is not converted: {advice}.")
    return source


def moving_streams(container: av.container.InputContainer, title: str) -> list[av.VideoStream]:
    """The streams that are films and no covers or thumbnails; `UserError` where the first cannot be decoded."""
    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    moving = [stream for stream in container.streams.video if not stream.disposition & pictures]
    if not moving:
        raise UserError(f"{title} holds no film, only sound or a cover picture.")
    if moving[0].codec_context is None:
        raise UserError(f"{title} is a film that needs a decoder which is not there; save it as H.264.")
    return moving


def expected_frames(path: str | Path) -> int | None:
    """How many frames a film should have; None where it does not say, 0 where it cannot be opened."""
    try:
        with open_film(path) as source:
            return source.count
    except UserError:
        return 0


def tagged_lengths_s(stream: av.VideoStream) -> list[float]:
    """How long the pictures last by Matroska's tags, seconds; "DURATION": "00:00:01.000000000"."""
    lengths = []
    for name, value in stream.metadata.items():
        if name.upper().startswith("DURATION"):
            with contextlib.suppress(ValueError):
                hours, minutes, seconds = map(float, value.split(":"))
                lengths.append(3600 * hours + 60 * minutes + seconds)
    return lengths


class Film:
    """An open film: what it promises, and its frames.

    fps: its mean rate, as it says. duration_s: how long it says it is. promised: how many frames it says it has.
    expected: the same, or where it does not say how many these rate and length would make. Each None if unknown.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        stream: av.VideoStream,
        *,
        title: str,
        name: str,
        path: Path | None,
    ) -> None:
        self.container, self.stream, self.title, self.name, self.path = container, stream, title, name, path
        rate = stream.average_rate
        self.fps = float(rate) if rate and math.isfinite(rate) and rate > 0 else None
        lengths = [container.duration / av.time_base] if container.duration else []
        if stream.duration and stream.time_base:
            lengths.append(float(stream.duration * stream.time_base))
        lengths += tagged_lengths_s(stream)  # what Matroska has instead, where the sound may outlast the pictures
        self.duration_s = min((length for length in lengths if 0 < length < math.inf), default=None)
        if self.duration_s and container.start_time and "matroska" in container.format.name:
            self.duration_s -= container.start_time / av.time_base  # it counts from 0, not from the first frame
        by_length = math.ceil(self.duration_s * self.fps - 0.01) if self.duration_s and self.fps else None
        self.expected = min((number for number in (stream.frames, by_length) if number), default=None)
        self.promised = stream.frames or None

    def frames(self) -> Iterator[Frame | Skipped]:
        """Its frames, and between them what could not be read; `UserError` if there is none, or the disk fails."""
        try:
            yield from self._frames()
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"{self.title} cannot be read any further: {error.strerror}.", exit_code=FAILED) from error

    def _frames(self) -> Iterator[Frame | Skipped]:
        picture = FilmPicture(self.stream.sample_aspect_ratio)
        times = FilmTimes(1 / (self.fps or FALLBACK_FPS))
        index = given = damaged = 0
        stay_s = 0.0
        for decoded in whole_frames(self.container, self.stream):
            if isinstance(decoded, int):
                damaged += decoded
                continue
            image_rgb = picture.rgb(decoded)
            time_s, missing = times.next(decoded.time, after_damage=damaged > 0)
            if damaged:
                lost = missing or damaged  # where the film was regular, its times know best
                yield self._skipped(index, "damaged", lost)
                index, damaged = index + lost, 0
            elif missing:
                yield self._skipped(index, times.pause(missing), missing, pause=True)
            stay_s = float(decoded.duration * decoded.time_base) if decoded.duration and decoded.time_base else 0.0
            yield Frame(image_rgb, time_s=time_s, index=index, name=self.name, path=self.path, stay_s=stay_s)
            index, given = index + 1, given + 1
        if damaged:
            yield self._skipped(index, "damaged", damaged)
            index += damaged
        if not given:
            raise UserError(f"{self.title} opens as a video but holds no frame that can be read.")
        if ended := self._ended_early(index, times.time_s + max(times.longest_s, stay_s)):
            yield self._skipped(index, *ended)

    def _ended_early(self, frames: int, end_s: float) -> tuple[str, int] | None:
        """What is said where the film ended before it should, and how many frames are missing."""
        if self.expected is None or self.duration_s is None or self.container.format.name in WITHOUT_HEADER:
            return None
        lost_s = self.duration_s - end_s
        if lost_s <= max(SHORT_BY_S, SHORT_BY_FRAMES / (self.fps or FALLBACK_FPS)):
            return None
        if self.promised is None:  # rates vary, so that of what was read says more than the header's
            lost = max(1, round(lost_s * frames / end_s))
            return f"ended after {end_s:.1f} of {self.duration_s:.1f} s; missing frames are estimated", lost
        lost = self.promised - frames
        return (f"ended after {frames} of {self.promised} promised frames", lost) if lost > SHORT_BY_FRAMES else None

    def _skipped(self, index: int, reason: str, frames: int, *, pause: bool = False) -> Skipped:
        log.warning("%s, frame %d: %s (%d frame%s).", self.title, index, reason, frames, "s" * (frames != 1))
        return Skipped(self.name, index, reason, frames=frames, path=self.path, pause=pause)
