"""From a name to a frame source.

In:  one name: a camera's number, a film, a picture, a folder, a pattern, a list (.txt), a stream's address, `sample`,
     or None.
Out: a `FrameSource` of `Frame`, always RGB, which closes itself:

    with open_source("holiday.mp4") as source:
        for frame in source:
            frame.image_rgb, frame.time_s

A new source is a file beside this one and a row in `SOURCES`: a function that returns a `FrameSource`, mostly a
`FileSource` of a generator.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from data.sources.camera import list_cameras, open_camera, open_stream
from data.sources.files import list_files, plain_name, stands_for_several
from data.sources.film import open_film
from data.sources.frame import FrameSource
from data.sources.pictures import holds_picture, open_picture, read_picture
from data.sources.sample import open_sample
from data.sources.series import open_series
from support import UserError

__all__ = ["SOURCES", "list_cameras", "open_source", "read_picture", "source_files"]

_CAMERA = re.compile(r"(?:/dev/video)?([0-9]{1,4000})")  # int() takes no more digits
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """What is asked of a source that can choose: pixels, frames a second, and whether the sample begins again."""

    width: int | None = None
    height: int | None = None
    fps: float | None = None
    loop: bool = True


class SourceKind(NamedTuple):
    """`fits`: does this name mean such a source? `open`: the source of that name, or a `UserError`.

    `files`: those that the name stands for, found without opening them.
    """

    fits: Callable[[str], object]
    open: Callable[[str, Asked], FrameSource]
    files: Callable[[str], list[Path]] = lambda name: []


def _camera(name: str, asked: Asked) -> FrameSource:
    number = int(name.removeprefix("/dev/video"))
    return open_camera(number, width=asked.width, height=asked.height, fps=asked.fps)


# The first row that fits is taken; ./7 and ./sample are the files of these names.
SOURCES = {
    "sample": SourceKind(
        lambda name: name == "sample",
        lambda name, asked: open_sample(width=asked.width, height=asked.height, loop=asked.loop),
    ),
    "camera": SourceKind(_CAMERA.fullmatch, _camera),
    "stream": SourceKind(_ADDRESS.match, lambda name, asked: open_stream(name)),
    "series": SourceKind(
        stands_for_several,
        lambda name, asked: open_series(name),
        lambda name: [file.path for file in list_files(name).files],
    ),
    "picture": SourceKind(holds_picture, lambda name, asked: open_picture(name), lambda name: [Path(name)]),
    "film": SourceKind(lambda name: True, lambda name, asked: open_film(name), lambda name: [Path(name)]),
}


def open_source(
    name: str | None,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    max_frames: int | None = None,
    loop: bool = True,
) -> FrameSource:
    """The source called `name`; None is camera 0, or the sample, which says so in its `notes` where no camera answers.

    `width`, `height` and `fps` are asked of cameras; the sample takes the size; files stay as they are. The source
    ends after `max_frames`; the sample, which begins again and again, after one round where not `loop`. Raises
    `UserError`.
    """
    for flag, value in (("width", width), ("height", height), ("fps", fps), ("max-frames", max_frames)):
        if value is not None and not value > 0:
            raise UserError(f"--{flag} takes a number above 0, not {value}.")
    wanted = "0" if name is None else plain_name(name)
    kind = _kind(wanted)
    asked = Asked(width, height, fps, loop)
    try:
        source = kind.open(wanted, asked)
    except UserError:
        if name is not None:
            raise
        source = SOURCES["sample"].open("sample", asked)
        source.tell("camera 0 gives no picture, so the bundled sample plays; --source names another camera or file.")
        if sys.platform == "darwin":
            source.tell("macOS asks once whether the camera may be used: allow it, and start again.")
    flags = {"--width": width, "--height": height, "--fps": fps}
    taken = {SOURCES["camera"]: tuple(flags), SOURCES["sample"]: ("--width", "--height")}.get(kind, ())
    if idle := [flag for flag, value in flags.items() if value is not None and flag not in taken]:
        source.tell(f"{', '.join(idle)} cannot change this source, which stays as it is.")
    source.max_frames = max_frames
    return source


def source_files(name: str) -> list[Path]:
    """The files that a name stands for, in order, none of them opened; [] for cameras, streams and the sample.

    Raises `UserError` where a folder, pattern or list holds no film or picture.
    """
    name = plain_name(name)
    return _kind(name).files(name)


def _kind(name: str) -> SourceKind:
    if not name:
        raise UserError("--source is empty; name a camera, film, picture or folder, or leave the flag out.")
    return next(kind for kind in SOURCES.values() if kind.fits(name))
