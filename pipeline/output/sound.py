"""The sound of a film, kept in a recording of it.

In:  the film's file, the recording's open container.
Out: packets of sound in that container, at the recording's own times.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer

from data.sources.film import ALONE, moving_streams
from data.sources.film_decoding import whole_frames
from pipeline.output.encoders import Container, available

ENCODED_HZ = 48_000  # every encoder of `CONTAINERS` takes it
EARLIER_S = 1.0  # a search in the film goes so far before what is wanted


class Sound:
    """The first sound track of the film at `path` with a decoder, as a stream of `output`, from `start_s` of it on.

    It is copied where the container takes it and encoded anew where not. Times are those of the film's frames, 0 at
    its first picture. `notify` is told of damage, which leaves gaps in it or ends it; errors of the output are raised.
    """

    def __init__(
        self,
        path: Path,
        output: OutputContainer,
        container: Container,
        *,
        start_s: float,
        notify: Callable[[str], None],
    ) -> None:
        self._name, self._output, self._container, self._notify = path.name, output, container, notify
        self._stream: Any = None  # of the output; None where there is no sound to write
        self._next: Any = None  # the piece that is written next: a packet, or a decoded frame
        self._pieces: Any = None  # iterator of all
        self._resampler: Any = None
        self._samples = 0  # encoded
        self._damaged = False
        self._last_s = Fraction(-1, ENCODED_HZ)  # when the last packet written is heard
        self._opened = contextlib.ExitStack()
        try:
            file = self._opened.enter_context(open(path, "rb"))  # noqa: SIM115 - close does
            film = self._opened.enter_context(av.open(file, "r", options=ALONE))
            tracks = [track for track in film.streams.audio if track.codec_context]
            if tracks:
                self._begin(film, tracks[0], path, start_s)
            elif film.streams.audio:
                self._end("needs a decoder that is not there")
        except (OSError, av.FFmpegError):
            self._end("cannot be read")

    def _begin(self, film: Any, track: Any, path: Path, start_s: float) -> None:
        self._zero_s = _first_picture_s(path)
        if start_s > EARLIER_S:
            film.seek(round((start_s - EARLIER_S + self._zero_s) * av.time_base))
        copied = _can_copy(track, self._container)
        self._pieces = self._packets(film, track) if copied else self._frames(film, track)
        self._next = next(self._pieces, None)
        if self._next is None:
            self._end("cannot be decoded")
        elif copied:
            self._stream = self._output.add_stream_from_template(track)
        elif available(self._container.sound):
            self._stream = self._output.add_stream(self._container.sound, rate=ENCODED_HZ)
            self._stream.layout = "mono" if track.channels == 1 else "stereo"
        else:
            self._end(f"wants the encoder {self._container.sound}, which PyAV does not bring here")

    def _end(self, why: str) -> None:
        """Write no more of it, and say why."""
        self._notify(f"the sound of {self._name} {why}; the recording goes on without it.")
        self._next = None

    def _packets(self, film: Any, track: Any) -> Iterator[Any]:
        """Packets of the track."""
        for packet in film.demux(track):
            if packet.pts is not None and packet.dts is not None:
                yield packet

    def _frames(self, film: Any, track: Any) -> Iterator[Any]:
        """Decoded frames of the track; packets that do not decode are left out."""
        begun = False  # a search may have ended within a packet
        for packet in self._packets(film, track):
            try:
                for frame in packet.decode():
                    begun = True
                    if frame.pts is not None:
                        yield frame
            except av.FFmpegError:
                if begun and not self._damaged:
                    self._notify(f"parts of the sound of {self._name} are damaged and missing in the recording.")
                self._damaged = begun

    def write(self, *, from_s: float, until_s: float, shift_s: float) -> None:
        """Write what begins from `from_s` to before `until_s` of the film, `shift_s` earlier; drop what comes before.

        To be called with growing times, each time after the pictures that are seen before `until_s`.
        """
        try:
            while self._next is not None:
                piece = self._next
                time_s = float(piece.pts * piece.time_base) - self._zero_s
                if time_s >= until_s:
                    return
                if time_s >= from_s:
                    self._put(piece, time_s - shift_s)
                self._next = next(self._pieces, None)
        except (av.FFmpegError, ValueError):  # ValueError: the track changes its format; a full disk is an OSError
            self._end("is damaged")

    def _put(self, piece: Any, time_s: float) -> None:
        if isinstance(piece, av.Packet):
            packet: Any = piece
            late = round(time_s / packet.time_base) - packet.pts
            packet.pts, packet.dts, packet.stream = packet.pts + late, packet.dts + late, self._stream
            self._mux([packet])
        else:
            if self._resampler is None:
                codec = self._stream.codec_context
                self._resampler = av.AudioResampler(codec.format, codec.layout, ENCODED_HZ, codec.frame_size or None)
            piece.time_base = Fraction(1, piece.sample_rate)
            piece.pts = round(time_s * piece.sample_rate)
            frames = self._resampler.resample(piece)
            if frames and self._container.time_base is None:
                self._fill_gap(frames[0])
            self._encode(frames)

    def _fill_gap(self, frame: av.AudioFrame) -> None:
        """Write silence up to the frame: sound of a constant rate has no times of its own."""
        missing = round((frame.time or 0.0) * ENCODED_HZ) - self._samples
        while missing > ENCODED_HZ // 100:  # less is how a film's own times are rounded
            part = min(missing, ENCODED_HZ)
            silence = av.AudioFrame(format=frame.format.name, layout=frame.layout.name, samples=part)
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            silence.sample_rate, silence.pts, silence.time_base = ENCODED_HZ, self._samples, Fraction(1, ENCODED_HZ)
            self._encode([silence])
            missing -= part

    def _encode(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            self._samples += frame.samples
            self._mux(self._stream.encode(frame))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            heard_s = packet.dts * packet.time_base
            if heard_s > self._last_s:  # no step back, and no start before 0, which would move the pictures
                self._last_s = heard_s
                self._output.mux(packet)

    def finish(self) -> None:
        """Write what still waits in the encoder."""
        if self._resampler is not None:
            self._encode(self._resampler.resample(None))
            self._mux(self._stream.encode(None))

    def close(self) -> None:
        """Let go of the film; more than once is fine."""
        self._next = self._pieces = None
        self._opened.close()


def _can_copy(track: Any, container: Container) -> bool:
    """Does the container take the track's packets? AAC of a broadcast stream lacks the header that it wants."""
    codec = track.codec_context
    return codec.name in container.copied and (codec.name != "aac" or bool(codec.extradata))


def has_sound(path: Path) -> bool:
    """Has the film at `path` a sound track?"""
    try:
        with open(path, "rb") as file, av.open(file, "r", options=ALONE) as film:
            return bool(film.streams.audio)
    except (OSError, av.FFmpegError):
        return False


def _first_picture_s(path: Path) -> float:
    """When the film's first whole picture is seen by the clock of the file: the frames' times begin there with 0."""
    with open(path, "rb") as file, av.open(file, "r", options=ALONE) as film:
        frames = whole_frames(film, moving_streams(film, path.name)[0])
        first = next((frame for frame in frames if not isinstance(frame, int)), None)
        return (first.time if first else None) or 0.0
