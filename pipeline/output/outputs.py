"""What a session leaves behind: log, recordings, snapshots, and one line a prediction on stdout.

In:  frames with their results and annotated pictures (H, W, 3) uint8 RGB.
Out: files, each complete when the session ends, however it ends; lines of text.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

import numpy as np

from data.sources.frame import Frame, FrameSource
from pipeline.options import SessionOptions
from pipeline.output.film import VideoWriter
from pipeline.output.log import PredictionLog, lines_of
from pipeline.output.snapshot import free_name, save_picture
from pipeline.run import FrameResult
from support import UserError

STILLS_PER_S = 0.5  # pictures in a recording stay two seconds each
FALLBACK_FPS = 30.0  # of recordings of a source that names no rate
SILENT_S = 0.25  # a camera that gives nothing for so long does not hold up its recordings
SNAPSHOTS, RECORDINGS = Path("snapshots"), Path("recordings")


@dataclass
class Outputs:
    """A context manager that opens the files of `options.log` and `options.save`, and finishes all of them.

    notify: told what became of snapshots and of the key's recording. An error there is a message and the session goes
    on; an error in the files of the command line ends it. clock: gives seconds.
    """

    options: SessionOptions
    source: FrameSource
    class_names: tuple[str, ...]
    _: KW_ONLY
    notify: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    log: PredictionLog | None = field(default=None, init=False)
    video: VideoWriter | None = field(default=None, init=False)  # of --save
    recording: VideoWriter | None = field(default=None, init=False)  # of the key r
    newest: tuple[np.ndarray, float] | None = field(default=None, init=False)  # the picture recorded last, its time
    recorded_s: float = field(default=0.0, init=False)  # when that was

    def __enter__(self) -> Outputs:
        self.fps = self.source.fps or FALLBACK_FPS
        with contextlib.ExitStack() as opened:
            if self.options.log:
                self.log = opened.enter_context(PredictionLog(self.options.log, self.class_names))
            if self.options.save:
                self.video = opened.enter_context(VideoWriter(self.options.save, self.fps))
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
        if self.log:
            self.log.write(frame, result)
        if not self.options.quiet:
            for line in lines_of(frame, result, frame.name if self.source.stills else None):
                print(line)
        if annotated is not None:
            self._record(annotated, frame.index / STILLS_PER_S if self.source.stills else frame.time_s)

    def repeat_last(self) -> None:
        """Let recordings of a live source go on with their last picture while no frame comes.

        Else the next frame would have to make up for all of the silence at once.
        """
        silent_s = self.clock() - self.recorded_s
        if self.source.live and self.newest and self.wants_pictures and silent_s > SILENT_S:
            annotated, time_s = self.newest
            self._record(annotated, time_s + silent_s)

    def _record(self, annotated: np.ndarray, time_s: float) -> None:
        self.newest, self.recorded_s = (annotated, time_s), self.clock()
        if self.video:
            self.video.write(annotated, time_s)
        if self.recording:
            try:
                self.recording.write(annotated, time_s)
            except UserError as error:
                self.notify(str(error))
                self.stop_recording()

    def toggle_recording(self) -> None:
        """Start a recording under a name of its own, or finish the one that runs."""
        if self.recording:
            self.stop_recording()
        else:
            self.recording = VideoWriter(path := free_name(RECORDINGS, ".mp4"), self.fps)
            self.notify(f"recording {path}")

    def stop_recording(self) -> None:
        """Finish the key's recording, if one runs."""
        if self.recording:
            recording, self.recording = self.recording, None
            self._try(recording.close, done="the recording is complete")

    def snapshot(self, annotated: np.ndarray) -> None:
        """Save a picture under a name of its own."""
        path = free_name(SNAPSHOTS, ".png")
        self._try(lambda: save_picture(path, annotated), done=f"saved {path}")

    def _try(self, action: Callable[[], object], *, done: str) -> None:
        try:
            action()
            self.notify(done)
        except UserError as error:
            self.notify(str(error))
