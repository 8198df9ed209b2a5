"""What a session leaves behind: log, films, pictures, crops, report, and one line a prediction on stdout.

In:  frames with their results and annotated pictures (H, W, 3) uint8 RGB.
Out: files, each complete when the session ends, however it ends; lines of text.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

import numpy as np

from data.sources.frame import Frame, FrameSource, Skipped
from pipeline.options import SessionOptions
from pipeline.output.film import VideoWriter
from pipeline.output.folders import AnnotatedFolder, CropFolder
from pipeline.output.log import PredictionLog, lines_of
from pipeline.output.names import RECORDINGS, REPORTS, SNAPSHOTS, free_name
from pipeline.output.report import Report
from pipeline.output.snapshot import save_picture
from pipeline.output.targets import is_folder
from pipeline.run import FrameResult
from support import UserError, count

FALLBACK_FPS = 30.0  # of recordings of a source that names no rate


@dataclass
class UnreadCount:
    """Counts what a source could not read: pictures and frames of films, and of how many files."""

    frames: int = 0
    files: int = 0
    _last: str | None = None

    def add(self, skipped: Skipped) -> None:
        """One more; files are read one after the other."""
        self.frames += skipped.frames
        self.files += skipped.name != self._last
        self._last = skipped.name

    def sentence(self, read: int) -> str:
        """What is said at the end, beside `read` frames that could be read."""
        frames = f"{self.frames} of {self.frames + read} pictures and frames"
        return f"{frames}, in {count(self.files, 'file')}, could not be read"


@dataclass
class Outputs:
    """A context manager that opens the files which `options` name, and finishes all of them.

    notify: told what became of snapshots, reports and the key's recording. An error there is a message and the session
    goes on; an error in the files of the command line ends it.
    """

    options: SessionOptions
    source: FrameSource
    class_names: tuple[str, ...]
    _: KW_ONLY
    notify: Callable[[str], None]
    log: PredictionLog | None = field(default=None, init=False)
    video: VideoWriter | None = field(default=None, init=False)  # of --save FILE
    folder: AnnotatedFolder | None = field(default=None, init=False)  # of --save FOLDER/
    crops: CropFolder | None = field(default=None, init=False)
    report: Report | None = field(default=None, init=False)  # of --report and of the key t
    recording: VideoWriter | None = field(default=None, init=False)  # of the key r
    unread: UnreadCount = field(default_factory=UnreadCount, init=False)

    def __enter__(self) -> Outputs:
        options, self.fps = self.options, self.source.fps or FALLBACK_FPS
        with contextlib.ExitStack() as opened:
            if options.log:
                self.log = opened.enter_context(PredictionLog(options.log, self.class_names, notify=self.notify))
            if options.save and is_folder(options.save):
                self.folder = opened.enter_context(AnnotatedFolder(options.save, fps=self.fps, notify=self.notify))
            elif options.save:
                self.video = opened.enter_context(VideoWriter(options.save, self.fps, notify=self.notify))
            if options.crops:
                self.crops = CropFolder(options.crops)
            if options.report or options.show:
                self.report = Report(self.class_names, faces=options.report_faces)
            opened.callback(self._finish)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._opened.close()

    def _finish(self) -> None:
        """What is to be done before the files are closed."""
        self.stop_recording()
        self._add_skipped()
        if self.report and self.options.report:
            self._write_report(Path(self.options.report))

    @property
    def wants_pictures(self) -> bool:
        """Is an annotated picture kept of each frame?"""
        return bool(self.video or self.folder or self.recording)

    def add(self, frame: Frame, result: FrameResult, annotated: np.ndarray | None) -> None:
        """Log, print and keep one frame; `annotated` may be None where `wants_pictures` is False."""
        self._add_skipped()
        if self.log:
            self.log.write(frame, result)
        if not self.options.quiet:
            several = self.source.fps is None and not self.source.live  # films and pictures, or pictures alone
            for line in lines_of(frame, result, frame.name if several else None):
                print(line)
        if self.crops:
            self.crops.add(frame, result)
        if self.report:
            self.report.add(frame, result)
        if annotated is not None:
            self._record(frame, annotated)

    def _add_skipped(self) -> None:
        for skipped in self.source.take_skipped():
            if not skipped.pause:
                self.unread.add(skipped)
            if self.log:
                self.log.write_skipped(skipped)
            if self.report:
                self.report.add_skipped(skipped)

    def _record(self, frame: Frame, annotated: np.ndarray) -> None:
        if self.video:
            self.video.add(frame, annotated)
        if self.folder:
            self.folder.add(frame, annotated)
        if self.recording:
            self._go_on_recording(self.recording, frame, annotated)

    def _go_on_recording(self, recording: VideoWriter, frame: Frame, annotated: np.ndarray) -> None:
        try:
            recording.add(frame, annotated)
        except UserError as error:
            kept = " What was recorded until then is kept." if recording.begun else ""
            self.stop_recording(done=f"{error}{kept}")

    def toggle_recording(self, frame: Frame, annotated: np.ndarray | None) -> None:
        """Start a recording, under a name of its own, or finish the one that runs.

        It starts with the frame that is seen; where `annotated` is None, with the next one.
        """
        if self.recording:
            self.stop_recording()
        else:
            self.recording = VideoWriter(path := free_name(RECORDINGS, ".mp4"), self.fps, notify=self.notify)
            self.notify(f"recording {path}")
            if annotated is not None:
                self._go_on_recording(self.recording, frame, annotated)

    def stop_recording(self, *, done: str = "") -> None:
        """Finish the key's recording, if one runs, and say so, or `done` in its place."""
        if self.recording:
            recording, self.recording = self.recording, None
            usual = "the recording is complete" if recording.begun else "nothing was recorded yet"
            self._try(recording.close, done=done or usual)

    def snapshot(self, annotated: np.ndarray) -> None:
        """Save a picture under a name of its own."""
        path = free_name(SNAPSHOTS, ".png")
        self._try(lambda: save_picture(path, annotated), done=f"saved {path}")

    def write_report(self) -> None:
        """Write the report of the session so far: to the folder of --report, else to one of its own."""
        if self.report:
            folder = Path(self.options.report) if self.options.report else free_name(REPORTS)
            self._try(lambda: self._write_report(folder), done=f"the report so far is {folder / 'index.html'}")

    def _write_report(self, folder: Path) -> None:
        if self.report:
            named = {"source": self.source.description}  # that of the command line may hold a password
            settings = dataclasses.asdict(self.options) | named
            self.report.write(folder, settings=settings)

    def _try(self, action: Callable[[], object], *, done: str) -> None:
        try:
            action()
            self.notify(done)
        except UserError as error:
            self.notify(str(error))
