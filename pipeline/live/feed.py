"""From a source to results: what the threads of a sitting do, step by step.

In:  a frame source, the pipeline; whether frames are mirrored, how many go together, how often faces are searched for.
Out: `Seen`, each frame with what was read in it, in order: lists of them, from `Stages`.

    with Feed(source, pipeline).stages() as stages:
        while not stages.ended:
            for seen in stages.get(timeout_s=1.0) or ():
                print(seen.frame.index, [face.label for face in seen.result.faces])

What a person watches goes frame by frame through one thread, each network on all cores, while the frame before is drawn
and shown: so a picture is hardly older than the work on it. Nobody minds how old those of a file are. They go in
batches, in which every core searches a frame of its own, and which are read while the next is searched: more a second.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2

from data.sources.frame import Frame, FrameSource
from pipeline.live.threads import Stages
from pipeline.run import EmotionPipeline, FrameResult
from retinaface.face import Face

GRAB_S = 0.1  # the longest wait for a camera before the thread looks whether to go on
BATCH_BYTES = 32 * 2**20  # large pictures go in smaller batches: 6 of 1920x1080, 1 of 24 megapixels


class Grabbed(NamedTuple):
    """A frame as it will be seen; whether it is to be searched for faces, or those of the frame before will do."""

    frame: Frame
    mirrored: bool
    search: bool


class Seen(NamedTuple):
    """A frame, and what was read in it."""

    frame: Frame
    mirrored: bool
    result: FrameResult


@dataclass
class Feed:
    """The steps from source to result.

    mirror: turn frames as a mirror does, from the next one on.
    every: search every n-th frame for faces; between these, they are taken to be where they were. Above 1 it needs the
        pipeline's tracker.
    batch: how many frames go through the networks together at most.
    waiting_s: since when the source has been waited for, by `time.monotonic`; None where it is not.
    """

    source: FrameSource
    pipeline: EmotionPipeline
    mirror: bool = False
    every: int = 1
    batch: int = 1
    waiting_s: float | None = None

    def stages(self) -> Stages:
        """The threads, to be entered."""
        if self.batch == 1:
            return Stages(self.grab(), self.analyse, places=2)
        return Stages(self.grab(), self.find, self.read, places=3)

    def grab(self) -> Iterator[list[Grabbed] | None]:
        """Batches of frames until the source ends; None where none came for a while."""
        mirrored = self.mirror
        while True:
            batch: list[Grabbed] = []
            while not self._full(batch) and (frame := self._wait_for_frame()) is not None:
                search = frame.index % self.every == 0 or self.mirror != mirrored
                mirrored = self.mirror
                batch.append(Grabbed(turned(frame) if mirrored else frame, mirrored, search))
            if not batch and self.source.ended:
                return
            yield batch or None

    def _wait_for_frame(self) -> Frame | None:
        self.waiting_s = self.waiting_s or time.monotonic()
        frame = self.source.read(timeout_s=GRAB_S)
        if frame is not None:
            self.waiting_s = None
        return frame

    def _full(self, batch: Sequence[Grabbed]) -> bool:
        size = sum(grabbed.frame.image_rgb.nbytes for grabbed in batch)
        return len(batch) == self.batch or size >= BATCH_BYTES

    def analyse(self, batch: list[Grabbed]) -> list[Seen]:
        """`find`, then `read`."""
        return self.read(self.find(batch))

    def find(self, batch: list[Grabbed]) -> tuple[list[Grabbed], list[list[Face] | None]]:
        """The batch with the faces of each frame; None for a frame that was not searched."""
        found = iter(self.pipeline.find([grabbed.frame.image_rgb for grabbed in batch if grabbed.search]))
        return batch, [next(found) if grabbed.search else None for grabbed in batch]

    def read(self, found: tuple[list[Grabbed], list[list[Face] | None]]) -> list[Seen]:
        """What the faces of a batch show."""
        batch, faces = found
        frames = [grabbed.frame for grabbed in batch]
        images, times_s = [frame.image_rgb for frame in frames], [frame.time_s for frame in frames]
        results = self.pipeline.read(images, faces, time_s=times_s)
        return [Seen(*grabbed[:2], result) for grabbed, result in zip(batch, results, strict=True)]

    def up_to_date(self, seen: Seen) -> Seen:
        """`seen` as it would look now, where mirror or heat were switched while it was on its way."""
        if seen.mirrored != self.mirror:
            frame = turned(seen.frame)
            seen = Seen(frame, self.mirror, self.pipeline([frame.image_rgb])[0])
        return seen._replace(result=self.pipeline.explain(seen.result))


def turned(frame: Frame) -> Frame:
    """The frame as a mirror shows it."""
    return replace(frame, image_rgb=cv2.flip(frame.image_rgb, 1))
