"""One sitting at live.py: what is open, what is switched on, which key does what.

In:  the flags, a frame source, the pipeline; keys from the window.
Out: frames to be read, in `frames`; and what becomes of them, in `present`: window, recording, log, stdout.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.frame import Frame, FrameSource
from gradcam import EXPLAINERS
from pipeline.overlay import Show, Status
from pipeline.recording import PredictionLog, Row, VideoWriter, save_picture, snapshot_name
from pipeline.run import EmotionPipeline, FrameResult
from pipeline.screen import RateMeter, Window, display_available
from pipeline.tracking import Tracker
from support import UserError, note

KEYS = (
    ("q / Esc", "quit"),
    ("space", "pause, or the next picture"),
    ("h", "heatmap on or off"),
    ("b", "bars on or off"),
    ("e", "explain the next class"),
    ("x", "next explainer"),
    ("s", "save a snapshot"),
    ("r", "start or stop recording"),
    ("m", "mirror"),
    ("?", "this help"),
)
MESSAGE_S = 2.5  # how long "saved ..." stays on the screen
KEY_WAIT_S = 0.03  # between two looks at the keyboard while no frame comes
POLL_S = 0.02  # between two looks at the keyboard while no frame comes
AWAY_S = 1.0  # a live source that is silent for so long is said to be away
STILLS_PER_S = 0.5  # pictures in a recording stay two seconds each
SNAPSHOTS, RECORDINGS = Path("snapshots"), Path("recordings")


class Session:
    """A context manager: files are finished and the camera let go whatever happens."""

    def __init__(self, settings, source: FrameSource, pipeline: EmotionPipeline, device) -> None:
        self.settings, self.source, self.pipeline, self.device = settings, source, pipeline, device
        pipeline.tracker = None if source.stills else Tracker(smooth_s=settings.smooth)
        self.show = Show(alpha=settings.alpha, heatmap=pipeline.explainer is not None, keys=KEYS)
        self.mirror = source.live if settings.mirror is None else settings.mirror
        self.rate = RateMeter()
        self.paused = self.stopped = self.repaint = False
        self.away = False  # the camera gives no picture, and that has been said
        self.window: Window | None = None
        self.log: PredictionLog | None = None
        self.video: VideoWriter | None = None  # of --save
        self.recording: VideoWriter | None = None  # of the key r
        self.message, self.message_until_s = "", 0.0
        self.written = 0  # frames
        self.annotated: np.ndarray | None = None
        self.started_s = self.last_frame_s = time.monotonic()
        self.media_start_s: float | None = None  # when the film would have begun, had it never waited

    def __enter__(self) -> Session:
        with contextlib.ExitStack() as opened:
            opened.enter_context(self.source)
            if self.settings.log:
                self.log = opened.enter_context(PredictionLog(self.settings.log, self.pipeline.classifier.class_names))
            if self.settings.save:
                self.video = opened.enter_context(VideoWriter(self.settings.save, self.source.fps or 30.0))
            opened.callback(self._stop_recording)
            if self.settings.show and display_available():
                self.window = opened.enter_context(Window("Facial expressions"))
            elif self.settings.show:
                note("no display can be reached, so no window opens; --save and --log keep what is seen.")
            self.opened = opened.pop_all()
        if self.source.note:
            note(self.source.note)
        note(f"{self.source.description}, {self.pipeline.classifier.name} on {self.device}")
        self.started_s = time.monotonic()
        return self

    def __exit__(self, *exception: object) -> None:
        self.opened.close()
        seconds = time.monotonic() - self.started_s
        note(f"{self.written} frames in {seconds:.1f} s, {self.written / max(seconds, 1e-9):.1f} a second")

    # -----------------------------------------------------------------------------------------------------------------
    # Frames in
    # -----------------------------------------------------------------------------------------------------------------

    def frames(self) -> Iterator[Frame]:
        """Frames to read and present, mirrored as they will be shown; the same one again where the view has changed."""
        frame = None
        while not self.stopped:
            fresh = None if self.paused else self.source.read(timeout_s=POLL_S if self.window else 1.0)
            if fresh is not None:
                self._keep_true_speed(fresh)
                frame, self.last_frame_s, self.away = fresh, time.monotonic(), False
                yield self._mirrored(frame)
                self.paused = self.paused or (self.source.stills and self.window is not None)
            elif self.source.ended and not self.paused:
                return
            self._handle_key()
            self._check_messages()
            if self.repaint and frame is not None and not self.stopped:
                self.repaint = False
                yield self._mirrored(frame)

    def _mirrored(self, frame: Frame) -> Frame:
        if not self.mirror:
            return frame
        return dataclasses.replace(frame, image_rgb=np.ascontiguousarray(frame.image_rgb[:, ::-1]))

    def _keep_true_speed(self, frame: Frame) -> None:
        """A film in a window waits for its time, and does not race to catch up when it is late."""
        if self.window is None or not self.source.fps:
            return
        now = time.monotonic()
        if self.media_start_s is None or now > self.media_start_s + frame.time_s:
            self.media_start_s = now - frame.time_s
        while not self.stopped and (early_s := self.media_start_s + frame.time_s - time.monotonic()) > 0:
            self._handle_key(wait_s=min(early_s, POLL_S))

    def _check_messages(self) -> None:
        """Take an old message off the screen; say so where the camera has gone."""
        now = time.monotonic()
        if self.message and now > self.message_until_s:
            self.message, self.repaint = "", True
        if self.source.live and not self.paused and now - self.last_frame_s > AWAY_S and not self.message:
            self._say("no picture comes from the camera; waiting for it", aloud=not self.away)
            self.away = True

    # -----------------------------------------------------------------------------------------------------------------
    # Results out
    # -----------------------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """What the status line says now."""
        return Status(
            fps=self.rate.per_second,
            device=str(self.device),
            explainer=self.pipeline.explainer if self.show.heatmap else None,
            explain_class=self.pipeline.explain_class,
            recording=self.recording is not None,
            paused=self.paused and not self.source.stills,
            message=self.message,
        )

    def present(self, frame: Frame, result: FrameResult, annotated: np.ndarray) -> None:
        """Show the frame; one that was not shown before is also logged, recorded and printed."""
        self.annotated = annotated
        if frame.index >= self.written:
            self.written = frame.index + 1
            self.rate.tick()
            rows = list(rows_of(frame, result))
            if self.log:
                self.log.write(rows)
            if not self.settings.quiet:
                for row in rows:
                    print(line_of(row, frame.name if self.source.stills else None))
            self._record(frame, annotated)
        if self.window:
            self.window.show(annotated)

    def _record(self, frame: Frame, annotated: np.ndarray) -> None:
        """Into the file of --save, where a fault ends the program, and into that of the key r, where it does not."""
        time_s = frame.index / STILLS_PER_S if self.source.stills else frame.time_s
        if self.video:
            self.video.write(annotated, time_s)
        if self.recording:
            try:
                self.recording.write(annotated, time_s)
            except UserError as error:
                self._say(str(error))
                self._stop_recording()

    # -----------------------------------------------------------------------------------------------------------------
    # Keys
    # -----------------------------------------------------------------------------------------------------------------

    def _handle_key(self, wait_s: float = 0.001) -> None:
        if self.window is None:
            return
        key = self.window.key(round(1000 * (POLL_S if self.paused else wait_s)))
        if key in ("q", "esc") or self.window.closed:
            self.stopped = True
        elif key in self._actions():
            self._actions()[key]()
            self.repaint = True

    def _actions(self) -> dict:
        return {
            "space": self._pause,
            "h": lambda: self._switch("heatmap"),
            "b": lambda: self._switch("bars"),
            "?": lambda: self._switch("help"),
            "e": self._next_class,
            "x": self._next_explainer,
            "s": self._snapshot,
            "r": self._toggle_recording,
            "m": self._mirror,
        }

    def _pause(self) -> None:
        self.paused = not self.paused

    def _switch(self, name: str) -> None:
        self.show = dataclasses.replace(self.show, **{name: not getattr(self.show, name)})
        if name == "heatmap":  # heat that nobody sees is not computed
            self.pipeline.explainer = (self.pipeline.explainer or next(iter(EXPLAINERS))) if self.show.heatmap else None

    def _next_class(self) -> None:
        choices = [None, *self.pipeline.classifier.class_names]
        self.pipeline.explain_class = choices[(choices.index(self.pipeline.explain_class) + 1) % len(choices)]
        self._say(f"heat shows {self.pipeline.explain_class or 'each face its own label'}")

    def _next_explainer(self) -> None:
        names = list(EXPLAINERS)
        if self.pipeline.explainer in names:
            self.pipeline.explainer = names[(names.index(self.pipeline.explainer) + 1) % len(names)]
            self._say(f"explained by {self.pipeline.explainer}")

    def _mirror(self) -> None:
        self.mirror = not self.mirror

    def _snapshot(self) -> None:
        if self.annotated is not None:
            path = snapshot_name(SNAPSHOTS, ".png")
            self._try(lambda: save_picture(path, self.annotated), done=f"saved {path}")

    def _toggle_recording(self) -> None:
        if self.recording:
            self._stop_recording()
            return
        path = snapshot_name(RECORDINGS, ".mp4")
        self._try(
            lambda: setattr(self, "recording", VideoWriter(path, self.source.fps or 30.0)), done=f"recording {path}"
        )

    def _stop_recording(self) -> None:
        if self.recording:
            recording, self.recording = self.recording, None
            self._try(recording.close, done="the recording is complete")

    def _try(self, action, *, done: str) -> None:
        """A key that cannot do its work says why; the show goes on."""
        try:
            action()
            self._say(done)
        except UserError as error:
            self._say(str(error))

    def _say(self, sentence: str, *, aloud: bool = True) -> None:
        """Show a sentence for a while, and unless it has been said print it too."""
        if aloud:
            note(sentence)
        self.message, self.message_until_s, self.repaint = sentence, time.monotonic() + MESSAGE_S, True


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
