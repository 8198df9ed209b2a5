"""Where the time of a frame goes: its stages one after the other, timed.

In:  a pipeline of one classifier, a video in memory, what shows a picture.
Out: milliseconds a stage, median and 95th percentile, and how many faces were detected.

`grab` converts a picture in memory from BGR to RGB, which a camera's picture needs too; capturing or decoding is not in
it. `classify` is the forward pass up to probabilities, `explain` the heatmaps from the same pass. `show` is what the
window's `show` takes, or that of `live_loop.NoScreen`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from data.sources.frame import FrameSource
from evaluation.speed.synthetic_video import video_source
from evaluation.speed.timing import spread
from pipeline.crops import crop_faces
from pipeline.drawing.overlay import Overlay, Show, Status
from pipeline.run import EmotionPipeline
from pipeline.scene import SceneCut
from pipeline.tracking import Tracker

STAGES = ("grab", "detect", "track", "crop", "classify", "explain", "draw", "show")
WARM_UP, FEWEST = 5, 3  # frames that do not count, and that count whatever time they take


def stage_times(
    pipeline: EmotionPipeline,
    video: Sequence[np.ndarray],
    *,
    seconds: float,
    show: Callable[[np.ndarray], object],
    clock: Callable[[], float] = time.perf_counter,
) -> dict:
    """`stages_ms` by name, `frame_ms` from grab to show, and `detected`, the fewest and the most faces of a frame.

    The video is played for about `seconds` after a warm-up; `show` gets every annotated frame. clock: gives seconds.
    """
    tracked = EmotionPipeline(pipeline.detector, pipeline.classifier, tracker=Tracker(), options=pipeline.options)
    tracker, cut, overlay = Tracker(), SceneCut(), Overlay()
    rows: list[list[float]] = []
    detected: list[int] = []
    until_s = float("inf")
    with video_source(video) as source:
        while len(rows) < WARM_UP + FEWEST or clock() < until_s:
            if len(rows) == WARM_UP:
                until_s = clock() + seconds
            took_s, faces = time_frame(tracked, tracker, cut, overlay, source, show, clock)
            rows.append([took_s[stage] for stage in STAGES])
            detected.append(faces)
    counted = 1000 * np.array(rows[WARM_UP:])  # (frames, stages)
    return {
        "detected": {"fewest": min(detected), "most": max(detected)},
        "stages_ms": {stage: spread(counted[:, column]) for column, stage in enumerate(STAGES)},
        "frame_ms": spread(counted.sum(axis=1)),
    }


def time_frame(
    pipeline: EmotionPipeline,
    tracker: Tracker,
    cut: SceneCut,
    overlay: Overlay,
    source: FrameSource,
    show: Callable[[np.ndarray], object],
    clock: Callable[[], float],
) -> tuple[dict[str, float], int]:
    """Seconds of each of `STAGES` for the source's next frame, and its number of faces."""
    options, size = pipeline.options, pipeline.classifier.size_hw[0]
    took_s: dict[str, float] = {}
    last_s = clock()

    def lap(name: str) -> None:
        """Book the time since the last call under `name`."""
        nonlocal last_s
        before_s, last_s = last_s, clock()
        took_s[name] = last_s - before_s

    frame = source.read()
    assert frame is not None, "the video has no end"
    lap("grab")
    (faces,) = pipeline.detect([frame.image_rgb])
    lap("detect")
    tracked, _ = tracker.update(
        faces,
        frame.time_s,
        smooth=options.smooth_s > 0,
        new_scene=cut.is_cut(frame.image_rgb),
        frame_rgb=frame.image_rgb,
    )
    lap("track")
    crops, _ = crop_faces(frame.image_rgb, tracked, size=size)
    lap("crop")
    prediction = pipeline.classifier.forward(crops, tta=options.tta)
    lap("classify")
    prediction.heatmaps(method=options.explainer or "gradcam")
    lap("explain")
    (result,) = pipeline.predict([frame.image_rgb], [faces], time_s=frame.time_s)
    lap("result")  # no stage: to have something to draw
    annotated = overlay.draw(result, show=Show(), status=Status(fps=30.0, explainer=options.explainer))
    lap("draw")
    show(annotated)
    lap("show")
    return took_s, len(faces)
