"""One session of live.py: what is open, what is switched on, which key does what.

In:  the options of the session, a frame source, the pipeline; keys from the window.
Out: frames with their results, in `results`; the annotated picture, in `draw`; window, files and lines, in `present`.

Frames are grabbed and analysed in threads (`pipeline/live/feed.py`). This thread shows them and reads keys, since
windows work in a program's main thread only. A key is answered with the last result, which is at hand however slow
frames are.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.sources.frame import Frame, FrameSource
from gradcam import EXPLAINERS
from pipeline.drawing.face_blur import FaceBlur
from pipeline.drawing.overlay import Overlay, Show, Status
from pipeline.drawing.status_line import keys_fit
from pipeline.live.consent import wait_for_consent
from pipeline.live.feed import AnalysedFrame, Feed, FeedOptions
from pipeline.live.keys import help_on
from pipeline.live.progress import Progress
from pipeline.options import SessionOptions
from pipeline.output.film import LONGEST_STAY_S
from pipeline.output.names import RECORDINGS
from pipeline.output.outputs import Outputs
from pipeline.output.window import RateMeter, Screen, Window, display_available
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker
from support import count, notify

MESSAGE_S = 2.5  # how long "saved ..." stays on the screen
POLL_S = 0.02  # between two looks at the keyboard while no frame comes
AWAY_S = 1.0  # a live source that gives no frame for so long is reported
FILE_BATCH = {"cpu": 8, "mps": 16, "cuda": 32}  # frames of a file that go together where nobody watches


class Session:
    """A context manager: threads are ended, files finished and the camera let go whatever happens.

    The networks and options of `pipeline` are used, with a tracker of the session. whole_pictures: as of `Feed`.
    stop_requested: asked between frames; True ends the session. clock: gives seconds.
    """

    def __init__(
        self,
        options: SessionOptions,
        source: FrameSource,
        pipeline: EmotionPipeline,
        device: object,
        *,
        whole_pictures: bool = False,
        stop_requested: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stop_requested = stop_requested
        self.options, self.source, self.device, self._clock = options, source, str(device), clock
        self.watched = options.show and display_available()
        predict, tracker = pipeline.options, None if source.stills else Tracker()
        self.feed = Feed(
            source,
            EmotionPipeline(pipeline.detector, pipeline.classifier, tracker=tracker, options=predict),
            options=FeedOptions(source.live if options.mirror is None else options.mirror, predict),
            every=1 if source.stills else options.every,
            batch_size=1 if self.watched or source.live else FILE_BATCH[self.device.partition(":")[0]],
            whole_pictures=whole_pictures,
            clock=clock,
        )
        self.progress = Progress(source.count, shown=False)
        self.outputs = Outputs(options, source, pipeline.classifier.class_names, notify=self._notify)
        self.show, self.overlay, self.rate = Show(alpha=options.alpha), Overlay(), RateMeter(clock)
        self._blur = FaceBlur()
        self._seen: tuple[Path | str | None, int] | None = None  # the frame that the blur saw last
        self.explainer = predict.explainer or next(iter(EXPLAINERS))  # the one that h switches on
        self.window: Screen | None = None
        self.paused = self.stopped = self.repaint = False
        self.away = False  # the camera gives no picture, and that has been said
        self.message, self.message_until_s = "", 0.0
        self.presented = 0  # frames
        self.last: AnalysedFrame | None = None  # what the screen shows
        self.media_start_s: float | None = None  # when the film would have begun, had it never waited
        self._film: Path | str | None = None  # of which the frame before was
        self._unread = 0  # frames of `outputs.unread` that the bar knows of
        self._said: set[str] = set()  # what is said once: notes of the source, flags that cut something

    def __enter__(self) -> Session:
        with contextlib.ExitStack() as opened:
            opened.enter_context(self.source)
            opened.enter_context(self.outputs)
            self.threads = opened.enter_context(self.feed.threads())
            self.progress = opened.enter_context(Progress(self.source.count, shown=not self.watched))
            if self.watched:
                self.window = opened.enter_context(Window("Facial expressions"))  # the last to open, the first to go
            elif self.options.show:
                notify("no display can be reached, so no window opens; --save and --log keep what is seen.")
            self._opened = opened.pop_all()
        self._say(f"{self.source.description}, {self.feed.pipeline.classifier.name} on {self.device}")
        if self.source.live and not self.watched and self.source.max_frames is None:
            self._say("this source does not end; Ctrl-C ends the session, or --max-frames N after N frames.")
        self._tell_news()
        self.started_s = self._clock()
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._opened.close()
        finally:  # also where a file cannot be finished
            self._tell_news()
            if self.outputs.unread.frames:
                notify(self.outputs.unread.sentence(self.presented))
            seconds = self._clock() - self.started_s
            rate = self.presented / max(seconds, 1e-9)
            notify(f"{count(self.presented, 'frame')} in {seconds:.1f} s, {rate:.1f} a second")

    def results(self) -> Iterator[AnalysedFrame]:
        """Frames with their results, each when it is time to present it; keys are answered meanwhile."""
        while not self.stopped:
            batch = None if self.paused else self.threads.get(timeout_s=POLL_S if self.window else 0.5)
            for analysed in batch or ():
                self._wait_for(analysed.frame)
                if self.stopped:
                    return
                self.away = False
                yield self.feed.refresh(analysed)
                self.paused = self.paused or (self.window is not None and self.feed.is_still(analysed.frame))
                self.stopped = self.stopped or self._stop_requested()
            if self.threads.ended and not self.paused:
                return
            if self.paused and self.source.live and self.source.max_frames is None:
                self.threads.forget()  # what follows the pause would be a picture of its beginning
            self._attend(POLL_S if self.paused else 0.001)

    def _wait_for(self, frame: Frame) -> None:
        """Wait until a pause ends. A film in a window waits for its time too, but does not race when it is late.

        A gap in its times is as long as in a recording at most.
        """
        due_s = now_s = self._clock()
        if self.window and not self.source.live and not self.feed.is_still(frame):
            if self.media_start_s is not None and frame.origin == self._film:
                due_s = min(max(now_s, self.media_start_s + frame.time_s), now_s + LONGEST_STAY_S)
            self.media_start_s, self._film = due_s - frame.time_s, frame.origin
        while not self.stopped and (self.paused or now_s < due_s):
            self._attend(POLL_S if self.paused else min(due_s - now_s, POLL_S))
            now_s = self._clock()

    def _attend(self, wait_s: float) -> None:
        """Answer a key, take an old message off the screen, report a camera that gives no frame."""
        self._handle_key(wait_s)
        now_s, waiting_since_s = self._clock(), self.feed.waiting_since_s
        if self.message and now_s > self.message_until_s:
            self.message, self.repaint = "", True
        silent = waiting_since_s is not None and now_s - waiting_since_s > AWAY_S
        if self.source.live and silent and not self.paused and not self.message:
            self._notify("no picture comes from the camera; waiting for it", printed=not self.away)
            self.away = True
        if self.repaint and self.window and self.last and not self.stopped:
            analysed = self.feed.refresh(self.last)
            self._put_up(analysed, self.draw(analysed))
        self.repaint = False

    def draw(self, analysed: AnalysedFrame) -> np.ndarray | None:
        """The annotated picture, (H, W, 3) uint8 RGB; None where nobody watches and nothing is recorded."""
        if not (self.window or self.outputs.wants_pictures):
            return None
        return self._paint(analysed, kept=self.window is None)

    def _paint(self, analysed: AnalysedFrame, *, kept: bool) -> np.ndarray:
        """The annotated picture, (H, W, 3) uint8 RGB, for the window; or as kept: blurred, no message, no keys."""
        predict, result, frame = self.feed.options.predict, analysed.result, analysed.frame
        if kept and self.options.blur:
            self._see(analysed)
            result = replace(result, frame_rgb=self._blur(result.frame_rgb))
        status = Status(
            fps=self.rate.per_second,
            device=self.device,
            explainer=predict.explainer,
            explain_class=predict.explain_class,
            paused=self.paused and not (kept or self.feed.is_still(frame)),
            recording=self.outputs.recording is not None,
            message="" if kept else self.message,
        )
        return self.overlay.draw(result, show=replace(self.show, keys=()) if kept else self.show, status=status)

    def _see(self, analysed: AnalysedFrame) -> None:
        """Have the blur remember the faces of a frame; the same one twice is fine."""
        frame, result = analysed.frame, analysed.result
        boxes = [face.box_xyxy for face in result.faces] + [face.box_xyxy for face in result.left_out]
        before, self._seen = self._seen, (frame.origin, frame.index)
        still = self.feed.is_still(frame)  # another picture, and not the same mirrored
        another = before is not None and (before != self._seen if still else before[0] != frame.origin)
        self._blur.see(result.frame_rgb, boxes, frame.time_s, new_scene=another)

    def present(self, analysed: AnalysedFrame, annotated: np.ndarray | None) -> None:
        """Show, log, print and record a frame; `annotated` is what `draw` gave for it."""
        self.presented += 1
        self.rate.tick()
        self._put_up(analysed, annotated)
        if self.window and self.options.blur:  # who watches sees faces; what is kept, now or later, shows none
            self._see(analysed)
        if self.window and (self.options.blur or self.message or self.show.keys):
            annotated = self._paint(analysed, kept=True) if self.outputs.wants_pictures else None
        with self.progress.aside(sys.stdout):
            self.outputs.add(analysed.frame, analysed.result, annotated)
        self.progress.advance()
        self._tell_news(analysed)

    def _put_up(self, analysed: AnalysedFrame, annotated: np.ndarray | None) -> None:
        if annotated is not None:
            self.last = analysed
            if self.window:
                self.window.show(annotated)

    def _handle_key(self, wait_s: float) -> None:
        key = self.window.key(round(1000 * wait_s)) if self.window else None
        if key in ("q", "esc") or (self.window and self.window.closed) or self._stop_requested():
            self.stopped = True
        elif key:
            self._change_view(key)
            self._change_options(key)
            self.repaint = True

    def _change_view(self, key: str) -> None:
        match key:
            case "space":
                self.paused = not self.paused and not (self.last and self.feed.is_still(self.last.frame))
            case "b":
                self.show = replace(self.show, bars=not self.show.bars)
            case "?":
                self.show = replace(self.show, keys=() if self.show.keys else help_on(self.feed.pipeline))
                if self.show.keys and self.last and not keys_fit(self.show.keys, self.last.result.frame_rgb.shape):
                    self._say("; ".join(f"{key}: {meaning}" for key, meaning in self.show.keys))
            case "s" if self.last:
                self.outputs.snapshot(self._paint(self.last, kept=True))
            case "r" if self.last:
                later = self.paused and self.source.live  # else its first picture would stand for the rest of the pause
                self.outputs.toggle_recording(self.last.frame, None if later else self._paint(self.last, kept=True))
            case "t":
                self.outputs.write_report()
            case "n" if self.window:
                kept = self.options.save or (str(RECORDINGS) if self.outputs.recording else None)
                told = replace(self.options, save=kept)
                height, width = self.last.result.frame_rgb.shape[:2] if self.last else (9, 16)
                self.stopped = not wait_for_consent(
                    self.window, told, ratio=width / height, stop_requested=self._stop_requested
                )

    def _change_options(self, key: str) -> None:
        options = self.feed.options
        predict, classes, explainers = options.predict, [None, *self.outputs.class_names], list(EXPLAINERS)
        match key:
            case "m":
                options = replace(options, mirror=not options.mirror)
                self._blur.mirror()
            case "h":
                predict = replace(predict, explainer=None if predict.explainer else self.explainer)
            case "e":
                name = classes[(classes.index(predict.explain_class) + 1) % len(classes)]
                predict = replace(predict, explainer=self.explainer, explain_class=name)  # on, where it was off
                self._notify(f"heatmaps are for {name or 'the label of each face'}")
            case "x":
                self.explainer = explainers[(explainers.index(self.explainer) + 1) % len(explainers)]
                predict = replace(predict, explainer=self.explainer)
                self._notify(f"explained by {self.explainer}")
        self.feed.use(replace(options, predict=predict))

    def _notify(self, sentence: str, *, printed: bool = True) -> None:
        """Show a sentence for a while, and print it unless it has been printed before."""
        if printed:
            self._say(sentence)
        self.message, self.message_until_s, self.repaint = sentence, self._clock() + MESSAGE_S, True

    def _say(self, sentence: str) -> None:
        """Print a sentence, beside the bar."""
        with self.progress.aside():
            notify(sentence)

    def _tell_news(self, analysed: AnalysedFrame | None = None) -> None:
        """Say, each once, a note of the source and flags that cut something; the bar passes what cannot be read."""
        for note in self.source.take_notes():
            if note not in self._said:
                self._said.add(note)
                self._notify(note)
        if unread := self.outputs.unread.frames - self._unread:
            self.progress.advance(unread)
            self._unread += unread
        if analysed:
            for flag, sentence in analysed.result.limits.items():
                if flag not in self._said:
                    self._said.add(flag)
                    self._say(f"{analysed.frame.name}: {sentence}")
