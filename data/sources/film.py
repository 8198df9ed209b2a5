"""Film files, frame by frame.

In:  the name of a video file, or a capture that OpenCV has opened.
Out: a `FileSource`; frames carry the file's own times.

Files are opened here and given to OpenCV as streams: names that are not valid UTF-8 crash its own readers, and on
Windows it does not find names outside ASCII.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2

from data.sources.frame import FileSource, Frame
from data.sources.pictures import printable
from support import UserError

FALLBACK_FPS = 30.0  # spaces the frames of a video that names neither rate nor times


def open_film(path: str | Path) -> FileSource:
    """The frames of a video file; `UserError` where it is missing or not a video."""
    try:
        file = open(path, "rb")  # noqa: SIM115 - the source closes it
    except OSError as error:
        raise UserError(f"cannot open {printable(path)}: {error.strerror}.") from error
    capture = cv2.VideoCapture(file, cv2.CAP_FFMPEG, [])  # type: ignore[call-overload]  # it takes any readable file
    return film_source(capture, name=printable(path), release=file.close)


def film_source(capture: cv2.VideoCapture, *, name: str, release: Callable[[], None] = lambda: None) -> FileSource:
    """The frames of an open `capture`; `release` is called after the capture's own."""

    def close() -> None:
        capture.release()
        release()

    if not capture.isOpened():
        close()
        raise UserError(f"{name} is not a video that OpenCV can read.")
    rate = capture.get(cv2.CAP_PROP_FPS)
    fps = rate if math.isfinite(rate) and rate > 0 else None
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    frames = _film_frames(capture, name=name, step_s=1 / (fps or FALLBACK_FPS))
    return FileSource(name, frames, fps=fps, count=count if count > 0 else None, release=close)


def _film_frames(capture: cv2.VideoCapture, *, name: str, step_s: float) -> Iterator[Frame]:
    """Frames with the file's own times; where these stand still, as in files without any, `step_s` apart."""
    start_s = time_s = 0.0
    for index in itertools.count():
        came, image_bgr = capture.read()
        if not came:
            break
        stamp_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if index == 0:
            start_s = stamp_s
        else:
            time_s = stamp_s - start_s if stamp_s - start_s > time_s else time_s + step_s
        yield Frame(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), time_s=time_s, index=index, name=name)
    if index == 0:
        raise UserError(f"{name} opens as a video but holds no frame that OpenCV can read.")
