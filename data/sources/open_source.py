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

import glob
import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from data.sources.camera import list_cameras, open_camera, open_stream
from data.sources.film import open_film
from data.sources.frame import FrameSource
from data.sources.pictures import is_picture, open_pictures, read_picture
from data.sources.sample import open_sample
from support import UserError

__all__ = ["SOURCES", "list_cameras", "open_source", "read_picture"]

_CAMERA = re.compile(r"(?:/dev/video)?([0-9]+)")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


class SourceKind(NamedTuple):
    """`fits`: does this name mean such a source? `open`: the source of that name, or a `UserError`.

    The second argument of `open` holds what is asked of a source that can choose: width and height in pixels, fps.
    """

    fits: Callable[[str], object]
    open: Callable[[str, dict[str, Any]], FrameSource]


def _means_pictures(name: str) -> bool:
    return os.path.isdir(name) or is_picture(name) or (glob.has_magic(name) and not os.path.exists(name))


# The first row that fits is taken; ./7 and ./sample are the files of these names.
SOURCES = {
    "sample": SourceKind(
        fits=lambda name: name == "sample",
        open=lambda name, asked: open_sample(width=asked["width"], height=asked["height"]),
    ),
    "camera": SourceKind(
        _CAMERA.fullmatch, lambda name, asked: open_camera(int(name.removeprefix("/dev/video")), **asked)
    ),
    "stream": SourceKind(_ADDRESS.match, lambda name, asked: open_stream(name)),
    "pictures": SourceKind(_means_pictures, lambda name, asked: open_pictures(name)),
    "film": SourceKind(lambda name: True, lambda name, asked: open_film(name)),
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
    wanted = "0" if name is None else name
    kind = next(kind for kind in SOURCES.values() if kind.fits(wanted))
    asked = {"width": width, "height": height, "fps": fps}
    try:
        source = kind.open(wanted, asked)
    except UserError:
        if name is not None:
            raise
        source = SOURCES["sample"].open("sample", asked)
        source.note = "camera 0 gives no picture, so the bundled sample plays; --source names another camera or file."
    source.max_frames = max_frames
    return source
