"""What every frame source gives, and how it is read.

In:  nothing; `data.sources.open_source.open_source` makes the sources.
Out: `Frame`, one picture with its time; `FrameSource`, an iterable and a context manager of frames; `FileSource`, a
     source whose frames wait to be read. A source that does not wait, a camera, is in `data.sources.camera`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Frame:
    """One picture: `image_rgb` (H, W, 3) uint8; `time_s` since the start: when it was seen if live, else media time."""

    image_rgb: np.ndarray
    time_s: float
    index: int
    name: str


class FrameSource:
    """Frames one after the other; `for frame in source`, or `read` where the reader has other things to do.

    `live`: frames that nobody takes are lost. `stills`: pictures, which do not follow from each other. `fps`: the true
    rate of a recording, None where there is none (live, stills) or the file does not tell. `max_frames`: the source
    ends after so many. `note`: one sentence the person should see, or None. `ended`: no frame will come any more.
    """

    live = False
    stills = False

    def __init__(self, description: str, *, fps: float | None = None, count: int | None = None) -> None:
        self.description = description
        self.fps = fps
        self.max_frames: int | None = None
        self.note: str | None = None
        self.ended = False
        self._count = count
        self._given = 0

    @property
    def count(self) -> int | None:
        """How many frames come if all can be read; None where that is unknown or without end."""
        known = [number for number in (self._count, self.max_frames) if number is not None]
        return min(known, default=None)

    def read(self, timeout_s: float = 1.0) -> Frame | None:
        """The next frame, or None: then either `ended` is True, or no new one came within `timeout_s`.

        Only a live source lets the time run out; 0 asks without waiting.
        """
        if self._given == self.max_frames:
            self.close()
        if self.ended:
            return None
        frame = self._next(timeout_s)
        self._given += frame is not None
        return frame

    def close(self) -> None:
        """Let go of the camera or file; more than once is fine."""
        self.ended = True

    def _next(self, timeout_s: float) -> Frame | None:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Frame]:
        """Frames until the end; the source is closed then, and also when the consumer stops early."""
        try:
            while not self.ended:
                frame = self.read()
                if frame is not None:
                    yield frame
        finally:
            self.close()

    def __enter__(self) -> FrameSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class FileSource(FrameSource):
    """A source whose frames come from the iterator `frames`; `release` is called once, at the end."""

    def __init__(
        self,
        description: str,
        frames: Iterator[Frame],
        *,
        fps: float | None = None,
        count: int | None = None,
        stills: bool = False,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(description, fps=fps, count=count)
        self.stills = stills
        self._frames = frames
        self._release = release

    def _next(self, timeout_s: float) -> Frame | None:
        frame = next(self._frames, None)
        if frame is None:
            self.close()
        return frame

    def close(self) -> None:
        """Close the file behind the frames; more than once is fine."""
        if not self.ended:
            self._release()
        super().close()
