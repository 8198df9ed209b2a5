"""Network streams: the newest frame of one that runs, every frame of one that ends.

In:  an address such as rtsp://host/path or http://host/cam.mjpg.
Out: a `LiveSource`, or the `FileSource` of a video that lies at the address.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import cv2

from data.sources.camera import LiveSource
from data.sources.film import film_source
from data.sources.frame import FrameSource

TIMEOUT_MS = 10_000  # to connect, and between two frames


def open_stream(url: str) -> FrameSource:
    """The stream at `url`; `UserError` where it gives no picture."""

    def opened() -> cv2.VideoCapture:
        open_ms, read_ms = cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC
        return cv2.VideoCapture(url, cv2.CAP_FFMPEG, [open_ms, TIMEOUT_MS, read_ms, TIMEOUT_MS])

    parts = urlsplit(url)
    description = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"  # without user, password and query
    capture = opened()
    if capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        return film_source(capture, name=description)
    return LiveSource(description, capture, reopen=opened, advice="check the address and the network")
