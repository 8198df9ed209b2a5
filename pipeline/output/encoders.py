"""What a recording is encoded with, by the suffix of its name.

In:  .mp4, .webm or .avi.
Out: container, encoders and their options, as FFmpeg names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import av

from support import FAILED, UserError

BT709, BT601, LIMITED, FULL = 1, 5, 1, 2  # as FFmpeg numbers them


@dataclass(frozen=True)
class VideoEncoder:
    """An encoder of FFmpeg that gives one packet a frame at once, so that nothing waits in it when the process ends.

    name, options, pixels: as FFmpeg calls them.
    matrix, limits: FFmpeg's numbers of the colour space and range that players take its pictures to be in.
    caution: half a sentence where the film plays in fewer places than its suffix promises.
    """

    name: str
    options: Mapping[str, str]
    pixels: str = "yuv420p"
    matrix: int = BT709
    limits: int = LIMITED
    caution: str = ""


@dataclass(frozen=True)
class Container:
    """A file format for recordings.

    encoders: the first that this machine's FFmpeg has is used.
    time_base: what times are rounded to, in seconds; None: frames have a constant rate.
    copied: sound that goes in as it is. sound: the encoder of any other.
    options: of the format. After a kill all files play up to half a second before it.
    """

    format: str
    encoders: tuple[VideoEncoder, ...]
    time_base: Fraction | None
    copied: frozenset[str]
    sound: str
    options: Mapping[str, str]


_X264 = VideoEncoder("libx264", {"preset": "veryfast", "tune": "zerolatency", "crf": "20", "forced-idr": "1"})
_VPX = {"deadline": "realtime", "cpu-used": "8", "crf": "31", "b": "0", "lag-in-frames": "0"}
_VP9 = VideoEncoder("libvpx-vp9", _VPX | {"row-mt": "1"})
_MPEG4 = VideoEncoder("mpeg4", {"qmin": "3", "qmax": "3"}, caution="MPEG-4 Part 2, which browsers do not play")
_JPEG = VideoEncoder("mjpeg", {"qmin": "3", "qmax": "3"}, pixels="yuvj420p", matrix=BT601, limits=FULL)

CONTAINERS = {
    ".mp4": Container(
        format="mp4",
        encoders=(_X264, VideoEncoder(_VP9.name, _VP9.options, caution="VP9, which some phones do not play"), _MPEG4),
        time_base=Fraction(1, 60_000),  # every usual rate's; MPEG-4 takes no finer one
        copied=frozenset({"aac", "mp3"}),
        sound="aac",
        # Fragments while it grows, a plain file with one index when it is complete.
        options={"movflags": "hybrid_fragmented", "frag_duration": "500000"},
    ),
    ".webm": Container(
        format="webm",
        encoders=(_VP9, VideoEncoder("libvpx", _VPX)),
        time_base=Fraction(1, 1000),
        copied=frozenset({"opus", "vorbis"}),
        sound="libopus",
        options={"cluster_time_limit": "500"},
    ),
    ".avi": Container(
        format="avi",
        encoders=(_JPEG,),
        time_base=None,
        copied=frozenset(),  # gaps are filled with silence: this format has no times
        sound="pcm_s16le",
        options={},
    ),
}


def available(name: str) -> bool:
    """Does this machine's FFmpeg have the encoder `name`?"""
    try:
        av.codec.Codec(name, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def video_encoder(container: Container) -> VideoEncoder:
    """The first of the container's encoders that is there; `UserError` where none is."""
    encoder = next((encoder for encoder in container.encoders if available(encoder.name)), None)
    if encoder is None:
        names = ", ".join(encoder.name for encoder in container.encoders)
        raise UserError(
            f"PyAV brings no encoder for .{container.format} here; wanted is one of {names}.", exit_code=FAILED
        )
    return encoder
