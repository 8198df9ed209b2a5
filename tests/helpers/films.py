"""Films made for tests, with PyAV: any codec, times, colour tags, rotation, pixel aspect, sound, damage.

In:  (H, W, 3) uint8 RGB pictures; how they are to be stored.
Out: a film file.
"""

import contextlib
import errno
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from data.sources.film import open_film
from data.sources.frame import Frame, Skipped

# RGB; bright and dark colours, skin, greys
PATCHES = [(200, 40, 10), (10, 200, 40), (40, 10, 200), (128, 128, 128)]
PATCHES += [(255, 255, 255), (0, 0, 0), (240, 200, 180), (20, 20, 20)]
BT709, BT601, BT2020, PQ, HLG, LIMITED, FULL = 1, 5, 9, 16, 18, 1, 2  # as FFmpeg numbers them
INTERLACED = {"libx264": {"x264-params": "tff=1"}, "mpeg2video": {"flags": "+ildct+ilme", "top": "1"}}
QUIET = {"libx265": {"x265-params": "log-level=none:crf=4"}, "libsvtav1": {"crf": "10", "preset": "12"}}


def patches(size_hw: tuple[int, int] = (64, 128)) -> np.ndarray:
    """The colours of `PATCHES` as eight columns: (H, W, 3) uint8 RGB."""
    height, width = size_hw
    return np.repeat(np.array(PATCHES, np.uint8)[None], height, axis=0).repeat(width // 8, axis=1)


def patch_colours(image_rgb: np.ndarray) -> np.ndarray:
    """The colour in the middle of each of the eight columns: (8, 3) int."""
    height, width = image_rgb.shape[:2]
    return image_rgb[height // 2, width // 16 :: width // 8].astype(int)


def moving(number: int, size_hw: tuple[int, int] = (96, 128)) -> list[np.ndarray]:
    """`number` pictures of coarse noise through which a bright square moves; what is lost in one shows."""
    height, width = size_hw
    coarse = np.random.default_rng(0).integers(30, 200, (height // 8, width // 8, 3), np.uint8)
    wall = coarse.repeat(8, axis=0).repeat(8, axis=1)
    images = []
    for index in range(number):
        image = np.roll(wall, 2 * index, axis=1)
        image[height // 4 : height // 2, (3 * index) % (width - 24) :][:, :24] = 250
        images.append(image)
    return images


def write_film(
    path: Path,
    images: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: float | Fraction = 25,
    times_s: Sequence[float] | None = None,
    options: Mapping[str, str] | None = None,
    container: str | None = None,
    rotation: float | None = None,
    mirrored: bool = False,
    aspect: Fraction | None = None,
    interlaced: bool = False,
    colour: Mapping[str, int] | None = None,
    sound_hz: float | None = None,
    sound_s: float | None = None,
    last_s: float | None = None,
) -> Path:
    """Write `images` (uint8 RGB, or uint16 for HDR signals) and give `path` back.

    times_s: of each frame, instead of `rate`. rotation: degrees in the display matrix, as PyAV counts them; `mirrored`
    adds a mirror image to it. colour: tags colorspace, color_range, color_trc, color_primaries. sound_hz: a tone,
    which lasts as long as the frames or `sound_s`. last_s: how long the last frame stays; wants a codec without delay.
    """
    colour = colour or {}
    images = list(images)
    with _same_priority(), av.open(str(path), "w", format=container) as film:
        stream: Any = film.add_stream(codec, rate=Fraction(rate).limit_denominator(100_000))
        tone: Any = film.add_stream("aac", rate=48_000, layout="mono") if sound_hz else None
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], pixels
        stream.options = QUIET.get(codec, {}) | (INTERLACED[codec] if interlaced else {}) | dict(options or {})
        for name, value in colour.items():
            setattr(stream.codec_context, name, value)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if times_s is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotation is not None:
            stream.set_display_rotation(rotation, hflip=mirrored)
        step = 1 / Fraction(rate).limit_denominator(100_000)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb48le" if image.dtype == np.uint16 else "rgb24")
            space, limits = colour.get("colorspace"), colour.get("color_range")
            frame = frame.reformat(format=pixels, dst_colorspace=space, dst_color_range=limits)
            frame.time_base = Fraction(1, 1000) if times_s is not None else step
            frame.pts = index if times_s is None else round(1000 * times_s[index])
            packets = stream.encode(frame)
            for packet in packets:
                if last_s and index == len(images) - 1:
                    packet.duration = round(last_s / packet.time_base)
            film.mux(packets)
        film.mux(stream.encode(None))
        if sound_hz:
            seconds = float(len(images) * step) if times_s is None else times_s[-1] + float(step)
            film.mux(_sine(tone, sound_hz, sound_s or seconds))
    return path


@contextlib.contextmanager
def _same_priority() -> Iterator[None]:
    """Take back what SVT-AV1 does as root: it makes the thread that calls it real-time, and all that start from it."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _sine(tone: Any, hertz: float, seconds: float) -> list[av.Packet]:
    packets = []
    for start in range(0, round(48_000 * seconds), 1024):
        wave = 0.3 * np.sin(2 * np.pi * hertz * (start + np.arange(1024)) / 48_000)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        packets += tone.encode(frame)
    return packets + tone.encode(None)


def interleaved(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What an interlaced camera would store: even rows of one picture, odd rows of the next."""
    woven = []
    for top, bottom in zip(images[::2], images[1::2], strict=True):
        frame = top.copy()
        frame[1::2] = bottom[1::2]
        woven.append(frame)
    return woven


def damaged(path: Path, start: float, length: int = 400, *, seed: int = 0) -> Path:
    """Overwrite `length` bytes with noise from the share `start` of the file on, in place."""
    content = bytearray(path.read_bytes())
    at = int(start * len(content))
    content[at : at + length] = np.random.default_rng(seed).bytes(length)
    path.write_bytes(content)
    return path


def hdr_signal(image_rgb: np.ndarray, curve: int, *, white_nits: float = 203.0) -> np.ndarray:
    """The (H, W, 3) uint16 BT.2020 signal by which a PQ or HLG screen shows sRGB colours, white at `white_nits`.

    BT.2100 (inverse curves; for HLG the system gamma 1.2 of a screen of 1,000 nits) and BT.2087 (primaries).
    """
    value = image_rgb / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    light = light @ np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]).T
    if curve == PQ:
        power = (light * white_nits / 10_000) ** (2610 / 16_384)
        signal = ((3424 + 32 * 2413 * power) / (4096 + 32 * 2392 * power)) ** (2523 / 32)
    else:
        shown = light * white_nits / 1000
        luminance = np.maximum(shown @ [0.2627, 0.6780, 0.0593], 1e-9)[..., None]
        scene = shown * luminance ** ((1 - 1.2) / 1.2)
        logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        signal = np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)
    return np.round(65_535 * signal.clip(0, 1)).astype(np.uint16)


class FailingFile(io.FileIO):
    """A file whose disk fails, each time that more than `readable` bytes have been read."""

    def __init__(self, path: str | Path, readable: int) -> None:
        super().__init__(path, "rb")
        self._left = readable

    def read(self, size: int | None = -1) -> bytes:
        """As a file."""
        content = super().read(size) or b""
        self._left -= len(content)
        if self._left < 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return content


def read_film(path: Path) -> tuple[list[Frame], list[Skipped]]:
    """The frames of a film as `open_film` gives them, and what of it was skipped."""
    with open_film(path) as source:
        frames = list(source)
    return frames, source.take_skipped()
