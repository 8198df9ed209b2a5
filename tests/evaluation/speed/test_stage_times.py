"""Stages with the clock: each stage's time is its own, and the sum is the frame's."""

from __future__ import annotations

import time

import numpy as np
import pytest

from evaluation.speed import stage_times as under_test
from evaluation.speed.stage_times import STAGES, stage_times
from evaluation.speed.synthetic_video import crowd_film
from pipeline.run import EmotionPipeline


@pytest.fixture(scope="module")
def pipeline() -> EmotionPipeline:
    return EmotionPipeline.from_files()


@pytest.fixture(scope="module")
def film() -> list[np.ndarray]:
    return crowd_film(2, (240, 320), frames=3)


def test_every_stage_has_its_time(pipeline, film):
    shown = []
    figures = stage_times(pipeline, film, seconds=0.01, show=shown.append)
    assert tuple(figures["stages_ms"]) == STAGES
    assert figures["found"] == {"fewest": 2, "most": 2}
    assert figures["frame_ms"]["count"] == len(shown) - under_test.WARM_UP >= under_test.FEWEST
    assert all(picture.shape == (240, 320, 3) for picture in shown)
    for stage, took in figures["stages_ms"].items():
        if stage != "explain":  # a difference, which noise can turn below zero
            assert 0 < took["median"] <= took["p95"]


def test_a_slow_stage_shows_where_it_is_slow(pipeline, film, monkeypatch):
    quick = stage_times(pipeline, film, seconds=0.01, show=lambda picture: None)
    detector = pipeline.detector

    def slow(frames):
        time.sleep(0.05)
        return detector(frames)

    monkeypatch.setattr(pipeline, "detector", slow)
    slowed = stage_times(pipeline, film, seconds=0.01, show=lambda picture: time.sleep(0.03))
    assert slowed["stages_ms"]["detect"]["median"] - quick["stages_ms"]["detect"]["median"] > 35
    assert slowed["stages_ms"]["show"]["median"] >= 30
    medians = [took["median"] for took in slowed["stages_ms"].values()]
    assert slowed["frame_ms"]["median"] == pytest.approx(sum(medians), rel=0.25)


def test_missing_faces_show(pipeline, film):
    empty = [*film, np.full_like(film[0], 128)]
    assert stage_times(pipeline, empty, seconds=0.01, show=id)["found"] == {"fewest": 0, "most": 2}
