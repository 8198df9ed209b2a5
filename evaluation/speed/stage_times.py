"""The stages of a frame one after the other, each with the clock: where the time goes.

In:  a pipeline, a film in memory, the window or None.
Out: milliseconds a stage, median and 95th percentile, and how many faces were found.

`grab` brings a picture in memory from BGR to RGB, which a camera's picture needs too; taking it from a camera or
decoding a film is not in it. `explain` is what `EmotionPipeline.read` takes beyond tracking, cropping and logits: the
heatmaps and the putting together. `show` is what the window's `show` takes, or that of `live_loop.NoScreen`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from data.sources.frame import Frame
from evaluation.speed.synthetic_video import film_source
from evaluation.speed.timing import spread
from pipeline.crops import crop_faces
from pipeline.drawing.overlay import Overlay, Show, Status
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker

STAGES = ("grab", "detect", "track", "crop", "classify", "explain", "draw", "show")
WARM_UP, FEWEST = 5, 3  # frames that do not count, and that count whatever time they take


def stage_times(
    pipeline: EmotionPipeline, film: Sequence[np.ndarray], *, seconds: float, show: Callable[[np.ndarray], object]
) -> dict:
    """`stages_ms` by name, `frame_ms` from grab to show, and `found`, the fewest and the most faces of a frame.

    `film` is played for about `seconds` after a warm-up; `show` gets every annotated frame.
    """
    pipeline.tracker, tracker = Tracker(), Tracker()  # the second one is timed
    overlay, rows, found = Overlay(), [], []
    with film_source(film) as source:
        until_s = None
        while until_s is None or len(rows) < WARM_UP + FEWEST or time.perf_counter() < until_s:
            if len(rows) == WARM_UP:
                until_s = time.perf_counter() + seconds
            row, faces = _one_frame(pipeline, tracker, overlay, source.read, show)
            rows.append(row)
            found.append(faces)
    counted = 1000 * np.array(rows[WARM_UP:])  # (frames, stages)
    return {
        "found": {"fewest": min(found), "most": max(found)},
        "stages_ms": {stage: spread(counted[:, column]) for column, stage in enumerate(STAGES)},
        "frame_ms": spread(counted.sum(axis=1)),
    }


def _one_frame(
    pipeline: EmotionPipeline,
    tracker: Tracker,
    overlay: Overlay,
    read: Callable[[], Frame],
    show: Callable[[np.ndarray], object],
) -> tuple[list[float], int]:
    """Seconds of each stage, in the order of `STAGES`, and the number of faces."""
    moments = [time.perf_counter()]

    def lap() -> None:
        moments.append(time.perf_counter())

    frame = read()
    lap()
    found = pipeline.find([frame.image_rgb])
    lap()
    tracker.follow(found[0], frame.time_s)
    lap()
    crops, _ = crop_faces(frame.image_rgb, found[0], size=pipeline.classifier.preprocess.size_hw[0])
    lap()
    pipeline.classifier.logits(crops)
    lap()
    (result,) = pipeline.read([frame.image_rgb], found, time_s=frame.time_s)
    lap()
    annotated = overlay.draw(result, show=Show(), status=Status(fps=30.0, explainer=pipeline.explainer))
    lap()
    show(annotated)
    lap()
    grab, detect, track, crop, classify, whole, drawing, showing = np.diff(moments).tolist()
    return [grab, detect, track, crop, classify, whole - track - crop - classify, drawing, showing], len(found[0])
