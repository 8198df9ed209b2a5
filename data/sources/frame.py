"""What every frame source gives, and how it is read.

In:  nothing; `data.sources.open_source.open_source` makes the sources.
Out: `Frame`, one picture with its time; `Skipped`, what could not be read; `FrameSource`, an iterable and a context
     manager of frames; `FileSource`, a source whose frames wait to be read. A source that does not wait, a camera, is
     in `data.sources.camera`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.sources.plain import LONG_RUN, PlainRun


@dataclass(frozen=True)
class Frame:
    """One picture, (H, W, 3) uint8 RGB, and where it comes from; `name` and `index` together say which it is.

    time_s: when it was seen, if live; else media time, 0 at the first frame of its film.
    index: its number in the film; of a picture, among the pictures of the run, where unreadable ones count.
    name: what a person calls its film, picture or camera; in a folder the path below it, with `/`.
    path: the file it came from; None for cameras, streams and the sample.
    still: a picture, which does not follow from the frame before.
    stay_s: how long its film shows it, seconds; 0: it does not say.
    """

    image_rgb: np.ndarray
    time_s: float
    index: int
    name: str
    path: Path | None = None
    still: bool = False
    stay_s: float = 0.0

    @property
    def origin(self) -> Path | str:
        """The film, picture or camera that it is of: equal for all frames of it, and for no other's."""
        return self.path or self.name


@dataclass(frozen=True)
class Skipped:
    """What could not be read, or may be missing: a picture, or so many `frames` of a film from `index` on.

    reason: half a sentence, for a person.
    pause: perhaps no frame is missing, and the film rests there: it is said, and not counted as unread.
    """

    name: str
    index: int
    reason: str
    frames: int = 1
    path: Path | None = None
    pause: bool = False


class FrameSource:
    """Frames one after the other; `for frame in source`, or `read` where the reader has other things to do.

    `live`: frames that nobody takes are lost. `stills`: all are pictures, which do not follow from each other. `fps`:
    the true rate of a single recording, None where there is none or the file does not tell. `max_frames`: the source
    ends after so many. `notes`: sentences that the person should see and nobody has taken yet; `skipped`: likewise what
    could not be read. `ended`: no frame will come any more. `promised`: how many frames a film's header counts, None
    where it has no number.
    """

    live = False
    stills = False

    def __init__(self, description: str, *, fps: float | None = None, count: int | None = None) -> None:
        self.description = description
        self.fps = fps
        self.max_frames: int | None = None
        self.promised: int | None = None
        self.ended = False
        self.skipped: list[Skipped] = []
        self.notes: list[str] = []
        self._lock = threading.Lock()  # guards `skipped` and `notes`
        self._count = count
        self._given = 0
        self._plain = PlainRun()

    @property
    def count(self) -> int | None:
        """How many frames come if all can be read, estimated for films that name none; None: unknown or endless."""
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
        if frame is not None:
            self._given += 1
            if (colour := self._plain.look(frame.image_rgb)) is not None:
                self.tell(self._plain_note(frame, colour))
        return frame

    def _plain_note(self, frame: Frame, colour: str) -> str:
        if self.live:
            advice = "is its cover closed, or another program using it?"
            return f"{self.description} has given only {colour} for {LONG_RUN} frames: {advice}"
        where = f"to {frame.name}" if frame.still else f"to number {frame.index} of {frame.name}"
        return f"{LONG_RUN} frames in a row, {where}, are plain {colour}: is that what the source should show?"

    def skip(self, skipped: Skipped) -> None:
        """Remember what could not be read, for whoever writes the results."""
        with self._lock:
            self.skipped.append(skipped)

    def take_skipped(self) -> list[Skipped]:
        """What could not be read since the last call, in order; from any thread."""
        with self._lock:
            taken, self.skipped = self.skipped, []
        return taken

    def tell(self, sentence: str) -> None:
        """Remember what the person should see."""
        with self._lock:
            self.notes.append(sentence)

    def take_notes(self) -> list[str]:
        """What the person should see since the last call, in order; from any thread."""
        with self._lock:
            taken, self.notes = self.notes, []
        return taken

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
    """A source whose frames come from the iterator `frames`, closed at the end; then `release` is called, once.

    The iterator may give `Skipped` in between, and a str, which joins the `notes`. `close` waits for a frame that
    another thread is reading.
    """

    def __init__(
        self,
        description: str,
        frames: Iterator[Frame | Skipped | str],
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
        self._reading = threading.RLock()

    def _next(self, timeout_s: float) -> Frame | None:
        with self._reading:
            for given in () if self.ended else self._frames:
                if isinstance(given, Frame):
                    return given
                if isinstance(given, Skipped):
                    self.skip(given)
                else:
                    self.tell(given)
        self.close()
        return None

    def close(self) -> None:
        """Close the file behind the frames; more than once is fine."""
        with self._reading:
            if not self.ended:
                if isinstance(self._frames, Generator):
                    self._frames.close()
                self._release()
            super().close()
