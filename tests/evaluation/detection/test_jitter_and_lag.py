"""Jitter and lag: known jitter and known delays are measured as what they are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from evaluation.detection.jitter_and_lag import Settings, jitter, jitter_and_lag, lag, main, sway_path
from retinaface.face import Face


def face(centre: np.ndarray, *, side: float = 100.0) -> Face:
    half = np.full(2, side / 2)
    corners = np.concatenate([centre - half, centre + half]).astype(np.float32)
    points = (centre + np.array([[-20, -20], [20, -20], [0, 0], [-15, 20], [15, 20]])).astype(np.float32)
    return Face(box_xyxy=corners, landmarks_xy=points, score=1.0)


@pytest.mark.parametrize("delay", [0.0, 1.0, 2.5])
def test_a_known_delay_is_found_whatever_the_offset(delay):
    settings = Settings()
    path = sway_path(settings, sway=0.6)
    times = np.arange(len(path))
    late = np.stack([np.interp(times - delay, times, path[:, axis]) for axis in (0, 1)], axis=1) + [7, -3]
    assert lag(late, path) == pytest.approx(delay, abs=0.06)


def test_jitter_is_the_mean_step():
    points = np.zeros((4, 1, 2))
    points[:, 0, 0] = [0, 3, 3, 0]  # steps of 3, 0 and 3
    assert jitter(points) == pytest.approx(2.0)


def test_jitter_is_a_share_of_the_box():
    settings = Settings()
    shaking = [face(np.array([100.0 + (index % 2), 100.0])) for index in range(settings.frames)]
    path = sway_path(settings, sway=0.6)
    figures = jitter_and_lag(shaking, [face(centre) for centre in path], path)
    assert figures["box_jitter"] == pytest.approx(0.01, rel=0.01)  # one pixel of a hundred
    assert figures["landmark_jitter"] == pytest.approx(0.01, rel=0.01)
    assert figures["box_lag"] == pytest.approx(0, abs=0.06)


@pytest.mark.thorough
def test_the_shipped_detector_and_tracker_have_little_jitter_and_lag(tmp_path):
    assert main(["--frames", "30", "--device", "cpu", "--out", str(tmp_path / "s.json")]) == 0
    report = json.loads((tmp_path / "s.json").read_text())
    assert report["tracked"]["box_jitter"] < 0.01
    assert report["tracked"]["box_jitter"] < report["detected"]["box_jitter"]
    assert report["tracked"]["box_lag"] < 2


def test_a_video_that_is_too_short_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--frames", "3"])
    assert "from 30 to" in capsys.readouterr().err
