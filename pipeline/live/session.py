"""One sitting at live.py: what is open, what is switched on, which key does what.

In:  the flags, a frame source, the pipeline; keys from the window.
Out: frames with what was read in them, in `results`; and what becomes of them, in `present`.

Frames are grabbed, searched and read in threads (`pipeline/live/feed.py`). This thread shows them and listens, which windows
want of a program's main thread. A key is answered with the last result, which is at hand however slow frames are.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator

import numpy as np

from data.sources.frame import Frame, FrameSource
from gradcam import EXPLAINERS
from pipeline.drawing.overlay import Overlay, Show, Status
from pipeline.live.feed import Feed, Seen
from pipeline.output.outputs import Records
from pipeline.output.window import RateMeter, Window, display_available
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker
from support import notify

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
POLL_S = 0.02  # between two looks at the keyboard while no frame comes
AWAY_S = 1.0  # a live source that is silent for so long is said to be away
FILE_BATCH = {"cpu": 8, "mps": 16, "cuda": 32}  # frames of a file that go together where nobody watches


class Session:
    """A context manager: threads are ended, files finished and the camera let go whatever happens."""

    def __init__(self, settings, source: FrameSource, pipeline: EmotionPipeline, device) -> None:
        self.settings, self.source, self.pipeline, self.device = settings, source, pipeline, device
        pipeline.tracker = None if source.stills else Tracker(smooth_s=settings.smooth)
        self.show = Show(alpha=settings.alpha, heatmap=pipeline.explainer is not None, keys=KEYS)
        self.explainer = pipeline.explainer or next(iter(EXPLAINERS))  # the one that h switches on
        self.rate, self.overlay = RateMeter(), Overlay()
        self.paused = self.stopped = self.repaint = False
        self.away = False  # the camera gives no picture, and that has been said
        self.window: Window | None = None
        self.message, self.message_until_s = "", 0.0
        self.written = 0  # frames
        self.last: Seen | None = None  # what the screen shows
        self.annotated: np.ndarray | None = None
        self.started_s = time.monotonic()
        self.media_start_s: float | None = None  # when the film would have begun, had it never waited

    def __enter__(self) -> Session:
        settings, source = self.settings, self.source
        names = self.pipeline.classifier.class_names
        with contextlib.ExitStack() as opened:
            opened.enter_context(source)
            self.records = opened.enter_context(Records(settings, source, names, say=self._say))
            watched = settings.show and display_available()
            self.feed = Feed(
                source,
                self.pipeline,
                mirror=source.live if settings.mirror is None else settings.mirror,
                every=1 if source.stills else settings.every,
                batch=1 if watched or source.live else FILE_BATCH[str(self.device).partition(":")[0]],
            )
            self.stages = opened.enter_context(self.feed.stages())
            if watched:
                self.window = opened.enter_context(Window("Facial expressions"))  # the last to open, the first to go
            elif settings.show:
                notify("no display can be reached, so no window opens; --save and --log keep what is seen.")
            self.opened = opened.pop_all()
        if source.note:
            notify(source.note)
        notify(f"{source.description}, {self.pipeline.classifier.name} on {self.device}")
        self.started_s = time.monotonic()
        return self

    def __exit__(self, *exception: object) -> None:
        self.opened.close()
        seconds = time.monotonic() - self.started_s
        notify(f"{self.written} frames in {seconds:.1f} s, {self.written / max(seconds, 1e-9):.1f} a second")

    # -----------------------------------------------------------------------------------------------------------------
    # Results in
    # -----------------------------------------------------------------------------------------------------------------

    def results(self) -> Iterator[Seen]:
        """Frames with their results, each when it is time to present it; keys are answered meanwhile."""
        while not self.stopped:
            came = None if self.paused else self.stages.get(timeout_s=POLL_S if self.window else 0.5)
            for seen in came or ():
                self._wait_for(seen.frame)
                if self.stopped:
                    return
                self.away = False
                yield self.feed.up_to_date(seen)
                self.paused = self.paused or (self.source.stills and self.window is not None)
            if self.stages.ended and not self.paused:
                return
            self._attend(POLL_S if self.paused else 0.001)

    def _wait_for(self, frame: Frame) -> None:
        """Until a pause ends. A film in a window waits for its time too, but does not race when it is late."""
        due_s = now_s = time.monotonic()
        if self.window and self.source.fps:
            if self.media_start_s is None or now_s > self.media_start_s + frame.time_s:
                self.media_start_s = now_s - frame.time_s
            due_s = self.media_start_s + frame.time_s
        while not self.stopped and (self.paused or now_s < due_s):
            self._attend(POLL_S if self.paused else min(due_s - now_s, POLL_S))
            now_s = time.monotonic()

    def _attend(self, wait_s: float) -> None:
        """Answer a key, take an old message off the screen, say so where the camera has gone."""
        self._handle_key(wait_s)
        now_s = time.monotonic()
        if self.message and now_s > self.message_until_s:
            self.message, self.repaint = "", True
        silent_s = now_s - (self.feed.waiting_s or now_s)
        if self.source.live and not self.paused and silent_s > AWAY_S and not self.message:
            self._say("no picture comes from the camera; waiting for it", aloud=not self.away)
            self.away = True
        self.records.hold()
        if self.repaint and self.window and self.last:
            self._paint(self.feed.up_to_date(self.last))
        self.repaint = False

    # -----------------------------------------------------------------------------------------------------------------
    # Results out
    # -----------------------------------------------------------------------------------------------------------------

    def present(self, seen: Seen) -> None:
        """Show, log, print and record a frame."""
        self.written += 1
        self.rate.tick()
        if self.window or self.records.wants_pictures:
            self._paint(seen)
        self.records.add(seen.frame, seen.result, self.annotated)

    def _paint(self, seen: Seen) -> None:
        self.last = seen
        self.annotated = self.overlay.draw(seen.result, show=self.show, status=self.status())
        if self.window:
            self.window.show(self.annotated)

    def status(self) -> Status:
        """What the status line says now."""
        return Status(
            fps=self.rate.per_second,
            device=str(self.device),
            explainer=self.pipeline.explainer if self.show.heatmap else None,
            explain_class=self.pipeline.explain_class,
            recording=self.records.recording is not None,
            paused=self.paused and not self.source.stills,
            message=self.message,
        )

    # -----------------------------------------------------------------------------------------------------------------
    # Keys
    # -----------------------------------------------------------------------------------------------------------------

    def _handle_key(self, wait_s: float) -> None:
        if self.window is None:
            return
        key = self.window.key(round(1000 * wait_s))
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
            "r": self.records.toggle_recording,
            "m": self._mirror,
        }

    def _pause(self) -> None:
        self.paused = not self.paused

    def _switch(self, name: str) -> None:
        self.show = dataclasses.replace(self.show, **{name: not getattr(self.show, name)})
        self.pipeline.explainer = self.explainer if self.show.heatmap else None  # heat nobody sees is not computed

    def _next_class(self) -> None:
        choices = [None, *self.pipeline.classifier.class_names]
        self.pipeline.explain_class = choices[(choices.index(self.pipeline.explain_class) + 1) % len(choices)]
        self._say(f"heat shows {self.pipeline.explain_class or 'each face its own label'}")

    def _next_explainer(self) -> None:
        names = list(EXPLAINERS)
        if self.show.heatmap:
            self.explainer = self.pipeline.explainer = names[(names.index(self.explainer) + 1) % len(names)]
            self._say(f"explained by {self.explainer}")

    def _mirror(self) -> None:
        self.feed.mirror = not self.feed.mirror

    def _snapshot(self) -> None:
        if self.annotated is not None:
            self.records.snapshot(self.annotated)

    def _say(self, sentence: str, *, aloud: bool = True) -> None:
        """Show a sentence for a while, and unless it has been said print it too."""
        if aloud:
            notify(sentence)
        self.message, self.message_until_s, self.repaint = sentence, time.monotonic() + MESSAGE_S, True
