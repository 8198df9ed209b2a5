"""From a source to results: what the threads of a session do, stage by stage.

In:  a frame source, the pipeline; options that may change from batch to batch, how many frames make a batch, and how
     often faces are detected.
Out: lists of `AnalysedFrame`, each frame with its result, in order, from `StageThreads`.

    with Feed(source, pipeline).threads() as threads:
        while not threads.ended:
            for analysed in threads.get(timeout_s=1.0) or ():
                print(analysed.frame.index, [face.label for face in analysed.result.faces])

What a person watches goes frame by frame through one thread, each network on all cores, while the frame before is
drawn and shown: so a picture is hardly older than the work on it. Files, whose latency does not matter, go in batches:
every core detects faces in a frame of its own, while those of the batch before are predicted.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from queue import SimpleQueue

import cv2

from data.sources.frame import Frame, FrameSource
from pipeline.live.threads import StageThreads
from pipeline.options import PredictOptions
from pipeline.run import EmotionPipeline, FaceResult, FrameResult
from pipeline.scene import SceneCut
from retinaface.face import Face, Faces
from support import UserError

GRAB_S = 0.1  # the longest wait for a camera before the thread looks whether to go on
GAP_S, GAP_FRAMES = 1.0, 3.0  # after a frame that came later than both, faces are not where they were
BATCH_BYTES = 32 * 2**20  # large pictures go in smaller batches: 6 of 1920x1080, 1 of 24 megapixels


@dataclass(frozen=True)
class FeedOptions:
    """What keys may change while frames come in: mirror them or not, how their faces are predicted and explained."""

    mirror: bool = False
    predict: PredictOptions = PredictOptions()


@dataclass(frozen=True, eq=False)
class Batch:
    """Frames that go through the networks together, as they will be shown, and the options that they go with.

    detect: whether faces are detected in each frame; where not, those of the frame before are used.
    new_scene: whether each frame starts a film, or scene, or is a picture, and so does not follow from the one before.
    faces: those of each frame once they are detected; None for a frame in which they are not.
    """

    frames: Sequence[Frame]
    detect: Sequence[bool]
    new_scene: Sequence[bool]
    options: FeedOptions
    faces: Sequence[list[Face] | None] = ()


@dataclass(frozen=True, eq=False)
class AnalysedFrame:
    """A frame as it is shown, its result, and the options that it was made with."""

    frame: Frame
    result: FrameResult
    options: FeedOptions


@dataclass
class Feed:
    """The stages from source to result.

    options: those that `use` gave last, for the thread that calls it; batches get them through a queue.
    every: detect faces in every n-th frame; between these they are taken to be where they were. Above 1 it needs the
        pipeline's tracker.
    batch_size: how many frames go through the networks together at most.
    whole_pictures: pictures are searched for faces at their own size, unlike frames of cameras and films.
    clock: gives seconds. waiting_since_s: since when, by the clock, it has waited for the source; None: it does not.
    """

    source: FrameSource
    pipeline: EmotionPipeline
    _: KW_ONLY
    options: FeedOptions = FeedOptions()
    every: int = 1
    batch_size: int = 1
    whole_pictures: bool = False
    clock: Callable[[], float] = time.monotonic
    waiting_since_s: float | None = None

    def __post_init__(self) -> None:
        self._handed_over: SimpleQueue[FeedOptions] = SimpleQueue()
        self._predicted_mirrored = self.options.mirror  # were the frames that `predict` had last?
        self.use(self.options)

    def use(self, options: FeedOptions) -> None:
        """Take these for the next batch; frames that are under way keep theirs."""
        self.options = options
        self._handed_over.put(options)

    def threads(self) -> StageThreads[list[AnalysedFrame]]:
        """The threads, to be entered."""
        if self.batch_size == 1:
            return StageThreads(self.grab(), self.analyse, max_in_flight=2)
        return StageThreads(self.grab(), self.detect, self.predict, max_in_flight=3)

    def grab(self) -> Iterator[Batch | None]:
        """Batches of frames until the source ends; None where no frame came for a while."""
        options = self._handed_over.get()
        failed: UserError | None = None
        film: Path | str | None = None  # that the frame before was of
        size_hw: tuple[int, ...] = ()
        mirrored = options.mirror  # was it?
        time_s, usual_s = 0.0, 0.0  # of the frame before, and how long after the one before that it came
        cut = SceneCut()  # a new scene is searched for faces at once; `predict` would find it too late
        while True:
            frames: list[Frame] = []
            try:
                while not (failed or self._is_full(frames)) and (frame := self._wait_for_frame()) is not None:
                    frames.append(frame)
            except UserError as error:
                failed = error  # raised once the frames before it have gone on
            if frames:
                while not self._handed_over.empty():
                    options = self._handed_over.get()
                detect: list[bool] = []
                new_scene: list[bool] = []
                for frame in frames:
                    begins = self.is_still(frame) or film != frame.origin or size_hw != frame.image_rgb.shape[:2]
                    new_scene.append((self.every > 1 and cut.is_cut(frame.image_rgb, first=begins)) or begins)
                    turned = mirrored != options.mirror  # faces of the frame before stood on the other side
                    passed_s = frame.time_s - time_s  # long after a pause, or where a camera was away
                    jumped = not 0 <= passed_s <= max(GAP_S, GAP_FRAMES * usual_s)
                    detect.append(new_scene[-1] or turned or jumped or frame.index % self.every == 0)
                    film, size_hw, mirrored = frame.origin, frame.image_rgb.shape[:2], options.mirror
                    time_s, usual_s = frame.time_s, max(passed_s, 0.0)
                if options.mirror:
                    frames = [mirror(frame) for frame in frames]
                yield Batch(frames, detect, new_scene, options)
            elif failed:
                raise failed
            elif self.source.ended:
                return
            else:
                yield None

    def _wait_for_frame(self) -> Frame | None:
        if self.waiting_since_s is None:
            self.waiting_since_s = self.clock()
        if (frame := self.source.read(timeout_s=GRAB_S)) is not None:
            self.waiting_since_s = None
        return frame

    def _is_full(self, frames: Sequence[Frame]) -> bool:
        return len(frames) == self.batch_size or sum(frame.image_rgb.nbytes for frame in frames) >= BATCH_BYTES

    def analyse(self, batch: Batch) -> list[AnalysedFrame]:
        """`detect`, then `predict`."""
        return self.predict(self.detect(batch))

    def detect(self, batch: Batch) -> Batch:
        """The batch with the faces of each frame."""
        faces: list[list[Face] | None] = [None] * len(batch.frames)
        for still, rows in self._runs(batch):
            rows = [row for row in rows if batch.detect[row]]
            frames = [batch.frames[row].image_rgb for row in rows]
            imgsz = [None] * len(rows) if still and self.whole_pictures else None
            for row, some in zip(rows, self.pipeline.detect(frames, imgsz=imgsz) if rows else (), strict=True):
                faces[row] = some
        return replace(batch, faces=faces)

    def predict(self, batch: Batch) -> list[AnalysedFrame]:
        """Every frame of the batch with what its faces show; pictures have no tracks."""
        results: list[FrameResult] = []
        if batch.options.mirror != self._predicted_mirrored:
            self._predicted_mirrored = batch.options.mirror
            self.pipeline.mirror(batch.frames[0].image_rgb.shape[1])
        for still, rows in self._runs(batch):
            results += self.pipeline.predict(
                [batch.frames[row].image_rgb for row in rows],
                [batch.faces[row] for row in rows],
                time_s=None if still else [batch.frames[row].time_s for row in rows],
                new_scene=[batch.new_scene[row] for row in rows],
                options=batch.options.predict,
            )
        pairs = zip(batch.frames, results, strict=True)
        return [AnalysedFrame(frame, result, batch.options) for frame, result in pairs]

    def is_still(self, frame: Frame) -> bool:
        """Is it a picture, and no frame of a film or camera?"""
        return frame.still or self.source.stills

    def _runs(self, batch: Batch) -> list[tuple[bool, list[int]]]:
        """The rows of the batch in runs of pictures (True) and of frames of films or cameras (False), in order."""
        rows = range(len(batch.frames))
        groups = itertools.groupby(rows, lambda row: self.is_still(batch.frames[row]))
        return [(still, list(some)) for still, some in groups]

    def refresh(self, analysed: AnalysedFrame) -> AnalysedFrame:
        """The frame as it would look with the options of now, where they changed after it was grabbed."""
        frame, result, options = analysed.frame, analysed.result, self.options
        if analysed.options == options:
            return analysed
        if analysed.options.mirror != options.mirror:
            frame, width = mirror(frame), frame.image_rgb.shape[1]
            faces = [mirrored_face(face.face, width) for face in result.faces]
            left_out = [mirrored_face(face, width) for face in result.left_out]
            found = Faces(faces, left_out=left_out, reduced=result.reduced)
            (turned,) = self.pipeline.predict([frame.image_rgb], [found], options=options.predict)
            result = replace(turned, faces=tuple(map(with_reading_of, result.faces, turned.faces)))
        return AnalysedFrame(frame, self.pipeline.explain(result, options.predict), options)


def mirror(frame: Frame) -> Frame:
    """The frame as a mirror shows it."""
    return replace(frame, image_rgb=cv2.flip(frame.image_rgb, 1))


def with_reading_of(before: FaceResult, face: FaceResult) -> FaceResult:
    """`face` with the number and the probabilities of `before`, which are smoothed over the frames until then."""
    return replace(
        face,
        track=before.track,
        probabilities=before.probabilities,
        label=before.label,
        confidence=before.confidence,
    )


def mirrored_face(face: Face, width: int) -> Face:
    """The face in the mirror image of its frame, `width` pixels wide: what is left and right changes places."""
    box_xyxy, landmarks_xy = face.box_xyxy[[2, 1, 0, 3]], face.landmarks_xy[[1, 0, 2, 4, 3]]  # copies
    box_xyxy[::2] = width - 1 - box_xyxy[::2]
    landmarks_xy[:, 0] = width - 1 - landmarks_xy[:, 0]
    return replace(face, box_xyxy=box_xyxy, landmarks_xy=landmarks_xy)
