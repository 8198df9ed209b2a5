"""From a name to a frame source.

In:  one name: a camera's number, a film, a picture, a folder, a pattern, a stream's address, `sample`, or None.
Out: a `FrameSource` of `Frame`, always RGB, which closes itself:

    with open_source("holiday.mp4") as source:
        for frame in source:
            frame.image_rgb, frame.time_s

A new source is a file beside this one and a row in `SOURCES`: a function that returns a `FrameSource`, mostly a
`FileSource` of a generator.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import re
from collections.abc import Callable

from data.sources.camera import list_cameras, open_camera
from data.sources.film import open_film
from data.sources.frame import FrameSource
from data.sources.pictures import is_picture, open_pictures, read_picture
from data.sources.sample import open_sample
from data.sources.stream import open_stream
from support import UserError

__all__ = ["SOURCES", "list_cameras", "open_source", "read_picture"]

_CAMERA = re.compile(r"(?:/dev/video)?([0-9]+)")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class CameraOptions:
    """The size in pixels and the frames a second that are asked of a source which can choose; None leaves it free."""

    width: int | None = None
    height: int | None = None
    fps: float | None = None


@dataclasses.dataclass(frozen=True)
class SourceKind:
    """`fits`: does this name mean such a source? `open`: the source of that name, or a `UserError`."""

    fits: Callable[[str], bool]
    open: Callable[[str, CameraOptions], FrameSource]


def _means_pictures(name: str) -> bool:
    return os.path.isdir(name) or is_picture(name) or (glob.has_magic(name) and not os.path.exists(name))


def _open_camera(name: str, options: CameraOptions) -> FrameSource:
    return open_camera(
        int(name.removeprefix("/dev/video")), width=options.width, height=options.height, fps=options.fps
    )


# The first row that fits is taken; ./7 and ./sample are the files of these names.
SOURCES: dict[str, SourceKind] = {
    "sample": SourceKind(
        fits=lambda name: name == "sample",
        open=lambda name, options: open_sample(width=options.width, height=options.height),
    ),
    "camera": SourceKind(fits=lambda name: bool(_CAMERA.fullmatch(name)), open=_open_camera),
    "stream": SourceKind(fits=lambda name: bool(_ADDRESS.match(name)), open=lambda name, options: open_stream(name)),
    "pictures": SourceKind(fits=_means_pictures, open=lambda name, options: open_pictures(name)),
    "film": SourceKind(fits=lambda name: True, open=lambda name, options: open_film(name)),
}


def open_source(
    name: str | None,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    max_frames: int | None = None,
) -> FrameSource:
    """The source called `name`; None is camera 0, or the sample with a `note` where no camera answers.

    `width`, `height` and `fps` are asked of cameras; the sample takes the size; files stay as they are. The source
    ends after `max_frames`. Raises `UserError`.
    """
    for flag, value in (("width", width), ("height", height), ("fps", fps), ("max-frames", max_frames)):
        if value is not None and not value > 0:
            raise UserError(f"--{flag} takes a number above 0, not {value}.")
    options = CameraOptions(width, height, fps)
    source = _default_source(options) if name is None else _named_source(name, options)
    source.max_frames = max_frames
    return source


def _named_source(name: str, options: CameraOptions) -> FrameSource:
    kind = next(kind for kind in SOURCES.values() if kind.fits(name))
    return kind.open(name, options)


def _default_source(options: CameraOptions) -> FrameSource:
    try:
        return _named_source("0", options)
    except UserError:
        source = _named_source("sample", options)
        source.note = "camera 0 gives no picture, so the bundled sample plays; --source names another camera or file."
        return source
