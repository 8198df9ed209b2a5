"""What a sitting at live.py leaves behind: log, films, snapshots, and one line a prediction on stdout.

In:  frames with their results and annotated pictures (H, W, 3) uint8 RGB.
Out: files, each complete when the sitting ends, however it ends; rows and lines of text.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from data.sources.frame import Frame, FrameSource
from pipeline.output.writers import PredictionLog, Row, VideoWriter, save_picture, snapshot_name
from pipeline.run import FrameResult
from support import UserError

STILLS_PER_S = 0.5  # pictures in a recording stay two seconds each
FALLBACK_FPS = 30.0  # of recordings of a source that names no rate
HOLD_S = 0.25  # a camera that is silent for so long does not hold up its recordings
SNAPSHOTS, RECORDINGS = Path("snapshots"), Path("recordings")


class Records:
    """A context manager that opens the files of `--log` and `--save`, and finishes all of them.

    settings: the flags `log`, `save` and `quiet`. say: told what became of snapshots and of the key's recording; there
    a fault does not end the show, in the files of the command line it does.
    """

    def __init__(self, settings, source: FrameSource, class_names: tuple[str, ...], *, say: Callable[[str], None]):
        self.settings, self.source, self.class_names, self.say = settings, source, class_names, say
        self.log: PredictionLog | None = None
        self.video: VideoWriter | None = None  # of --save
        self.recording: VideoWriter | None = None  # of the key r
        self._newest: tuple[np.ndarray, float] | None = None  # the picture recorded last, its time
        self._put_s = 0.0  # when that was
        self.fps = source.fps or FALLBACK_FPS

    def __enter__(self) -> Records:
        with contextlib.ExitStack() as opened:
            if self.settings.log:
                self.log = opened.enter_context(PredictionLog(self.settings.log, self.class_names))
            if self.settings.save:
                self.video = opened.enter_context(VideoWriter(self.settings.save, self.fps))
            opened.callback(self.stop_recording)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._opened.close()

    @property
    def wants_pictures(self) -> bool:
        """Is any recording running?"""
        return bool(self.video or self.recording)

    def add(self, frame: Frame, result: FrameResult, annotated: np.ndarray | None) -> None:
        """Log, print and record one frame; `annotated` may be None where no recording runs."""
        rows = list(rows_of(frame, result))
        if self.log:
            self.log.write(rows)
        if not self.settings.quiet:
            for row in rows:
                print(line_of(row, frame.name if self.source.stills else None))
        if annotated is not None:
            self._record(annotated, frame.index / STILLS_PER_S if self.source.stills else frame.time_s)

    def hold(self) -> None:
        """Let recordings of a live source go on with their last picture while no frame comes.

        Else the next frame would have to make up for all of the silence at once.
        """
        silent_s = time.monotonic() - self._put_s
        if self.source.live and self._newest and self.wants_pictures and silent_s > HOLD_S:
            annotated, time_s = self._newest
            self._record(annotated, time_s + silent_s)

    def _record(self, annotated: np.ndarray, time_s: float) -> None:
        self._newest, self._put_s = (annotated, time_s), time.monotonic()
        if self.video:
            self.video.write(annotated, time_s)
        if self.recording:
            try:
                self.recording.write(annotated, time_s)
            except UserError as error:
                self.say(str(error))
                self.stop_recording()

    def toggle_recording(self) -> None:
        """Start a film under a name of its own, or finish the one that runs."""
        if self.recording:
            self.stop_recording()
            return
        path = snapshot_name(RECORDINGS, ".mp4")
        self._try(lambda: setattr(self, "recording", VideoWriter(path, self.fps)), done=f"recording {path}")

    def stop_recording(self) -> None:
        """Finish the film of the key, if one runs."""
        if self.recording:
            recording, self.recording = self.recording, None
            self._try(recording.close, done="the recording is complete")

    def snapshot(self, annotated: np.ndarray) -> None:
        """Save a picture under a name of its own."""
        path = snapshot_name(SNAPSHOTS, ".png")
        self._try(lambda: save_picture(path, annotated), done=f"saved {path}")

    def _try(self, action: Callable[[], object], *, done: str) -> None:
        try:
            action()
            self.say(done)
        except UserError as error:
            self.say(str(error))


def rows_of(frame: Frame, result: FrameResult) -> Iterator[Row]:
    """One row of the log a face."""
    for number, face in enumerate(result.faces):
        yield Row(
            frame.time_s,
            frame.index,
            number,
            face.track or None,
            *(float(v) for v in face.box_xyxy),
            face.face.score,
            face.label,
            face.confidence,
            face.probabilities,
        )


def line_of(row: Row, name: str | None) -> str:
    """One prediction as a person reads it: what, how sure, where."""
    who = f"face {row.face}" if row.track is None else f"person {row.track}"
    box = f"[{row.x1:.0f} {row.y1:.0f} {row.x2:.0f} {row.y2:.0f}]"
    return f"{name or f'{row.time_s:8.3f} s'}  {who}  looks like {row.label} {row.confidence:.0%}  {box}"
