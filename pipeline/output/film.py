"""Recordings at true speed, with the sound of the film that they are of.

In:  pictures (H, W, 3) uint8 RGB with their times.
Out: an .mp4, .webm or .avi file: seen.partial.mp4 until it is complete, which plays too where the process is killed.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from data.sources.frame import Frame
from pipeline.output.encoders import BT709, CONTAINERS, video_encoder
from pipeline.output.snapshot import check_suffix
from pipeline.output.sound import Sound, has_sound
from support import FAILED, UserError, notify
from support.files import PartialFile

STILL_S = 2.0  # a picture stays so long, and the last frame of a film that does not say how long no longer
LONGEST_STAY_S = 60.0  # of a frame; a longer gap in a film's times is shortened to this
KEY_S = 1.0  # between two frames that a player can begin with
RATES = (0.1, 240.0)  # of an .avi; files that claim others know none
SPARE_BYTES = 32 * 2**20  # a disk with less ends a recording while there is room to finish it
MAX_SIDE, MAX_PIXELS, MIN_SIDE = 4096, 4096 * 2304, 16  # what phones play (H.264 level 5.1), and encoders take


class VideoWriter:
    """A video whose time is that of the frames. The first sets its size; where no frame comes, no file appears.

    fps: the rate of the frames as far as it is known; an .avi has it throughout, so frames repeat and drop there.
    notify: told of what a person would not expect: other codecs and sizes, gaps that were shortened, missing sound.
    A context manager, which finishes the file on an error and on Ctrl-C too.
    Raises `UserError` where the name ends in no known suffix or the file cannot be written.
    """

    def __init__(self, path: str | Path, fps: float = 30.0, *, notify: Callable[[str], None] = notify) -> None:
        self._path, self._notify = Path(path), notify
        check_suffix(self._path, CONTAINERS, "a video")
        self._container = CONTAINERS[self._path.suffix.lower()]
        self._rate = Fraction(min(max(fps, RATES[0]), RATES[1])).limit_denominator(1001)
        self._time_base = self._container.time_base or 1 / self._rate
        self._output: Any = None  # what av.open gives, from the first frame to the end
        self._broken = False
        self._sound: Sound | None = None
        self._other_sound = False  # of a film that follows: it has been said that it is left out
        self._film: Path | None = None  # what the newest frame is of,
        self._time_s, self._stay_s = 0.0, float(1 / self._rate)  # its time there, and how long it is seen
        self._last_s = self._stay_s  # how long it is seen if it is the last
        self._from_s = self._shift_s = 0.0  # of the film: where what goes on began, and its lead on the recording
        self._first_hw: tuple[int, ...] | None = None  # of the first frame, until another size has been said
        self._tick, self._key_s = -1, -math.inf  # of the recording: the last time in `time_base`, the last key frame's

    @property
    def begun(self) -> bool:
        """Is there a file that frames go into?"""
        return self._output is not None

    def add(self, frame: Frame, annotated: np.ndarray) -> None:
        """`write` the picture of a source's frame."""
        self.write(annotated, frame.time_s, film=frame.path, still=frame.still, stay_s=frame.stay_s)

    def write(
        self,
        image_rgb: np.ndarray,
        time_s: float,
        *,
        film: Path | None = None,
        still: bool = False,
        stay_s: float = 0.0,
    ) -> None:
        """Add a frame, (H, W, 3) uint8 RGB, taken at `time_s`; one of another size than the first is letterboxed.

        film: the file it is of, whose sound is kept. Another one than before follows the end of what is there.
        still: a picture, which follows too, and stays for two seconds.
        stay_s: how long it stays where it is the last of its film; 0: as long as the one before it.
        """
        try:
            follows = still or film != self._film
            if self._output is None:
                self._open(image_rgb.shape[:2], time_s, film=None if still else film)
            elif shutil.disk_usage(self._file.partial.parent).free < SPARE_BYTES:
                raise OSError(0, "the disk is nearly full")
            elif follows:
                self._append(time_s, film=None if still else film)
            else:
                self._go_on(time_s)
            self._say_size(image_rgb.shape[:2], follows=follows)
            self._film, self._time_s = film, time_s
            if still or stay_s:
                self._stay_s = STILL_S if still else min(stay_s, LONGEST_STAY_S)
            self._last_s = self._stay_s
            if self._container.format == "webm" and not still:  # there the longest of all frames counts
                self._last_s = float(1 / self._rate)
            self._encode(image_rgb)
        except (OSError, av.FFmpegError) as error:
            self._broken = True
            raise UserError(f"{self._path} ends here: {error.strerror or error}.", exit_code=FAILED) from error

    def _open(self, size_hw: tuple[int, ...], start_s: float, *, film: Path | None) -> None:
        self._from_s = self._shift_s = start_s
        self._first_hw, self._size_hw = size_hw, _video_size(*size_hw)
        if max(self._size_hw) < max(size_hw) - 1:  # the sides of a video are even
            limit = f"frames of {_by(size_hw)} are reduced to what players take"
            self._notify(f"{self._path} is {_by(self._size_hw)}: {limit}.")
        self._encoder = video_encoder(self._container)
        if self._encoder.caution:
            wanted = self._container.encoders[0].name
            self._notify(f"PyAV brings no {wanted} here, so {self._path} is {self._encoder.caution}.")
        options = {**self._container.options, "fflags": "+flush_packets", "max_interleave_delta": "500000"}
        self._file = PartialFile(self._path)
        try:
            self._output = av.open(self._file.file, "w", format=self._container.format, container_options=options)
            self._stream = self._output.add_stream(self._encoder.name, self._rate, options=dict(self._encoder.options))
            self._stream.height, self._stream.width, self._stream.pix_fmt = *self._size_hw, self._encoder.pixels
            codec = self._stream.codec_context
            codec.time_base, codec.thread_type = self._time_base, "SLICE"  # threads by frame would hold some back
            codec.color_range, codec.colorspace = self._encoder.limits, self._encoder.matrix
            codec.color_primaries = codec.color_trc = BT709
            codec.open()
            if film:
                self._sound = Sound(film, self._output, self._container, start_s=start_s, notify=self._notify)
        except BaseException:
            self._output = None
            self._file.discard()
            raise

    def _say_size(self, size_hw: tuple[int, ...], *, follows: bool) -> None:
        """Say, once, that a frame has another size than the first. follows: it is of another film or picture."""
        if self._first_hw is None or size_hw == self._first_hw:
            return
        self._first_hw = None
        advice = " --save FOLDER/ keeps each size." if follows else ""
        self._notify(f"{self._path} is {_by(self._size_hw)}, as its first frame; others are scaled to that.{advice}")

    def _go_on(self, time_s: float) -> None:
        """The newest frame was seen until `time_s` of its film, or for the longest that a frame stays."""
        gap_s = time_s - self._time_s
        self._write_sound(until_s=min(time_s, self._time_s + LONGEST_STAY_S))
        if gap_s > LONGEST_STAY_S:
            at_s = self._time_s - self._shift_s
            self._notify(
                f"{self._path}: {gap_s:.0f} s without a frame, at {at_s:.0f} s, are {LONGEST_STAY_S:.0f} s in it."
            )
            self._from_s, self._shift_s = time_s, self._shift_s + gap_s - LONGEST_STAY_S
        if gap_s > 0:
            self._stay_s = min(gap_s, STILL_S)

    def _append(self, time_s: float, *, film: Path | None) -> None:
        """What begins at `time_s` of another film, or picture, follows the newest frame, the last of its own."""
        if film and not self._other_sound and has_sound(film):
            self._other_sound = True
            self._notify(f"{self._path} has the sound only of what it begins with; --save FOLDER/ keeps each film's.")
        self._end_sound()
        end_s = self._time_s + self._stay_s - self._shift_s
        self._shift_s = time_s - end_s

    def _write_sound(self, *, until_s: float) -> None:
        if self._sound:
            self._sound.write(from_s=self._from_s, until_s=until_s, shift_s=self._shift_s)

    def _end_sound(self) -> None:
        if self._sound:
            self._write_sound(until_s=self._time_s + self._stay_s)
            self._sound.finish()
            self._sound.close()
            self._sound = None

    def _encode(self, image_rgb: np.ndarray) -> None:
        """Encode and write the newest frame; at a constant rate, only where the one before leaves it a place."""
        seen_s = self._time_s - self._shift_s
        tick = round(seen_s / self._time_base)
        if tick <= self._tick:
            if self._container.time_base is None:
                return
            tick = self._tick + 1
        self._tick = tick
        encoder = self._encoder
        frame = av.VideoFrame.from_ndarray(_letterboxed(image_rgb, self._size_hw), "rgb24")
        frame = frame.reformat(format=encoder.pixels, dst_colorspace=encoder.matrix, dst_color_range=encoder.limits)
        frame.pts, frame.time_base = tick, self._time_base
        if seen_s - self._key_s >= KEY_S:
            frame.pict_type, self._key_s = av.video.frame.PictureType.I, seen_s
        self._mux(self._stream.encode(frame))

    def _mux(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            packet.duration = round(self._last_s / packet.time_base)  # counts for the last; others end with the next
            self._output.mux(packet)

    def close(self) -> None:
        """Finish the file and give it its name; more than once is fine. `UserError` where that fails."""
        if self._output is None:
            return
        try:
            if not self._broken:
                self._end_sound()
                self._mux(self._stream.encode(None))
            self._output.close()
        except (OSError, av.FFmpegError) as error:
            if not self._broken:  # else that has been said
                self._broken = True
                raise UserError(
                    f"{self._path} could not be finished: {error.strerror or error}.", exit_code=FAILED
                ) from error
        finally:
            self._output = None
            if self._sound:
                self._sound.close()
            self._keep()

    def _keep(self) -> None:
        """Give the file its name; one that broke only where it plays."""
        if self._broken and not _plays(self._file.partial):
            self._file.discard()
        elif (kept := self._file.finish()) != self._file.path:
            self._notify(f"another program wrote {self._path} meanwhile, so this recording is {kept.name}.")

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _plays(path: Path) -> bool:
    try:
        with open(path, "rb") as file, av.open(file, "r") as film:
            return next(film.decode(video=0), None) is not None
    except av.FFmpegError:
        return False
    except OSError:  # it cannot be looked at, or is gone, which giving it its name says
        return True


def _video_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) of the video for frames of this size: even, and reduced where players would refuse it."""
    scale = min(1.0, MAX_SIDE / max(height, width), math.sqrt(MAX_PIXELS / (height * width)))
    even_h, even_w = (max(MIN_SIDE, 2 * math.ceil(side * scale / 2)) for side in (height, width))
    return even_h, even_w


def _by(size_hw: tuple[int, ...]) -> str:
    return f"{size_hw[1]}x{size_hw[0]}"


def _letterboxed(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """The picture in a frame of `size_hw`, scaled as a whole, with black bars where the ratio differs."""
    if image.shape[:2] == size_hw:
        return image
    image = cv2.copyMakeBorder(image, 0, image.shape[0] % 2, 0, image.shape[1] % 2, cv2.BORDER_REPLICATE)  # even sides
    height, width = image.shape[:2]
    scale = min(size_hw[0] / height, size_hw[1] / width)
    if scale != 1:
        inner_wh = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, inner_wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    high, wide = size_hw[0] - image.shape[0], size_hw[1] - image.shape[1]
    borders = (high // 2, high - high // 2, wide // 2, wide - wide // 2)
    return cv2.copyMakeBorder(image, *borders, cv2.BORDER_CONSTANT) if any(borders) else image
