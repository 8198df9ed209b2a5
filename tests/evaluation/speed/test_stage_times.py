"""Stages by a clock that only some of them advance: each stage's time is its own, and the sum is the frame's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evaluation.speed.stage_times import STAGES, WARM_UP, stage_times
from evaluation.speed.synthetic_video import synthetic_video
from pipeline.run import EmotionPipeline


@pytest.fixture(scope="module")
def pipeline() -> EmotionPipeline:
    return EmotionPipeline.from_files()


@pytest.fixture(scope="module")
def video() -> list[np.ndarray]:
    return synthetic_video(2, (240, 320), frames=3)


def test_a_stage_has_the_time_that_passed_in_it(pipeline, video):
    now_s = 0.0

    def pass_time(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    class TimedDetector:
        def __call__(self, frames):
            pass_time(0.05)
            return pipeline.detector(frames)

        def close(self):
            pass

    class TimedClassifier:
        class_names, size_hw = pipeline.classifier.class_names, pipeline.classifier.size_hw

        def forward(self, crops, *, tta):
            pass_time(0.008)
            self.prediction = pipeline.classifier.forward(crops, tta=tta)
            self.probabilities, self.windows = self.prediction.probabilities, None
            return self

        def heatmaps(self, *args, **options):
            pass_time(0.004)
            return self.prediction.heatmaps(*args, **options)

    classifier: Any = TimedClassifier()
    timed = EmotionPipeline(TimedDetector(), classifier)
    shown = []

    def show(picture) -> None:
        shown.append(picture.shape)
        pass_time(0.03)

    report = stage_times(timed, video, seconds=1.0, show=show, clock=lambda: now_s)
    assert tuple(report["stages_ms"]) == STAGES
    assert shown == [(240, 320, 3)] * (10 + WARM_UP)
    medians = {stage: took["median"] for stage, took in report["stages_ms"].items()}
    expected = dict.fromkeys(STAGES, 0.0) | {"detect": 50, "classify": 8, "explain": 4, "show": 30}
    assert medians == pytest.approx(expected)
    assert report["frame_ms"]["median"] == pytest.approx(92)
    assert report["frame_ms"]["count"] == 10  # a second of 104 ms: 12 are not counted, for the result to draw


def test_missing_faces_are_reported(pipeline, video):
    empty = [*video, np.full_like(video[0], 128)]
    assert stage_times(pipeline, empty, seconds=0.01, show=id)["detected"] == {"fewest": 0, "most": 2}
