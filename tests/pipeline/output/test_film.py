"""Recordings, read back with OpenCV: true speed, true colours, complete or not there."""

from __future__ import annotations

import os
import shutil
import sys

import cv2
import numpy as np
import pytest

from pipeline.output.film import CODECS, VideoWriter
from support import UserError


def _grey(level, size_hw=(48, 64)):
    return np.full((*size_hw, 3), level, np.uint8)


def _read_back(path):
    """Frames a second, and each frame's mean level."""
    capture = cv2.VideoCapture(str(path))
    levels = []
    while (got := capture.read())[0]:
        levels.append(got[1].mean())
    return capture.get(cv2.CAP_PROP_FPS), np.array(levels)


@pytest.mark.parametrize("suffix", CODECS)
def test_video_plays_at_true_speed(tmp_path, suffix):
    """An uneven 8 frames a second over 3 s, in a file of 30: the file shows at each moment what was seen then."""
    times_s = np.cumsum([0.0, *np.random.default_rng(0).uniform(0.05, 0.2, size=24)])
    with VideoWriter(tmp_path / f"a{suffix}", 30) as writer:
        for index, time_s in enumerate(times_s):
            writer.write(_grey(10 * index), 100 + time_s)
    fps, levels = _read_back(tmp_path / f"a{suffix}")
    assert fps == 30
    assert len(levels) / fps == pytest.approx(times_s[-1] + (times_s[-1] - times_s[-2]), abs=1.5 / 30)
    for slot, level in enumerate(levels):
        near = {np.searchsorted(times_s, slot / 30 + shift, side="right") - 1 for shift in (-0.5 / 30, 0.5 / 30)}
        assert min(abs(level - 10 * index) for index in near) <= 5


@pytest.mark.parametrize(
    ("fps", "times_s", "frames"),
    [
        (30, np.arange(200) / 100, 60),  # too many are thinned: 2 s
        (10, [0.0, 1.5], 30),  # the last stays as long as the one before
        (10, [0.0, 10.0], 120),  # but not for ever
        (10, [0.0, 0.1, 0.2, 0.0, 0.3], 4),  # a clock that steps back loses nothing before it
    ],
)
def test_a_recording_lasts_as_long_as_its_frames(tmp_path, fps, times_s, frames):
    with VideoWriter(tmp_path / "a.avi", fps) as writer:
        for time_s in times_s:
            writer.write(_grey(100), time_s)
    assert abs(len(_read_back(tmp_path / "a.avi")[1]) - frames) <= (1 if fps == 30 else 0)


def test_same_rate_keeps_every_frame_once(tmp_path):
    with VideoWriter(tmp_path / "a.avi", 29.97) as writer:
        for index in range(100):
            writer.write(_grey(2 * index), round(index / 29.97, 3))  # times rounded to ms, as .webm has them
    fps, levels = _read_back(tmp_path / "a.avi")
    assert fps == pytest.approx(29.97)
    assert np.allclose(levels, 2 * np.arange(100), atol=2)


def test_colours_are_rgb(tmp_path):
    image_rgb = np.full((48, 64, 3), (200, 40, 10), np.uint8)
    with VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(image_rgb, 0.0)
    _, frame_bgr = cv2.VideoCapture(str(tmp_path / "a.mp4")).read()
    assert np.abs(frame_bgr.astype(int) - (10, 40, 200)).max() <= 6
    assert image_rgb[0, 0].tolist() == [200, 40, 10]


def test_another_size_is_letterboxed(tmp_path):
    with VideoWriter(tmp_path / "a.avi", 10) as writer:
        writer.write(_grey(0), 0.0)
        writer.write(_grey(200, (120, 80)), 0.1)
    capture = cv2.VideoCapture(str(tmp_path / "a.avi"))
    capture.read()
    _, second = capture.read()
    assert second.shape == (48, 64, 3)
    bright = np.flatnonzero(second[24, :, 0] > 100)
    assert (bright[0], bright[-1]) == (16, 47)  # 32 of 64 columns, in the middle
    assert second[0, 32, 0] > 190
    assert second[-1, 32, 0] > 190


def test_file_appears_only_when_complete_and_survives_ctrl_c(tmp_path):
    writer = VideoWriter(tmp_path / "new" / "a.mp4", 10)
    for index in range(5):
        writer.write(_grey(50), index / 10)
    assert not (tmp_path / "new" / "a.mp4").exists()
    with pytest.raises(KeyboardInterrupt), writer:
        raise KeyboardInterrupt
    assert len(_read_back(tmp_path / "new" / "a.mp4")[1]) == 5
    with VideoWriter(tmp_path / "new" / "nothing written.mp4") as writer:
        writer.close()
    assert os.listdir(tmp_path / "new") == ["a.mp4"]


def test_a_nearly_full_disk_ends_the_recording_and_keeps_it(tmp_path, monkeypatch):
    writer = VideoWriter(tmp_path / "a.mp4", 10)
    writer.write(_grey(50), 0.0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(UserError, match="nearly full") as error, writer:
        writer.write(_grey(50), 0.1)
    assert error.value.exit_code == 1
    assert len(_read_back(tmp_path / "a.mp4")[1]) == 1


def test_what_cannot_be_recorded_is_one_sentence(tmp_path, capfd):
    with pytest.raises(UserError, match=r"ends in \.mp4, \.avi, \.webm, which 'a\.mov' does not"):
        VideoWriter(tmp_path / "a.mov")
    with pytest.raises(UserError, match="OpenCV cannot record 64x48"), VideoWriter(tmp_path / "a.avi", 0.001) as writer:
        writer.write(_grey(0), 0.0)
    assert os.listdir(tmp_path) == []
    with VideoWriter(tmp_path / "a.webm") as writer:
        writer.write(_grey(0), 0.0)
    assert "tag" not in capfd.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="names are text there")
def test_a_name_that_would_crash_opencv_is_refused(tmp_path):
    with pytest.raises(UserError, match="not valid UTF-8"):
        VideoWriter(tmp_path / os.fsdecode(b"a\xff.mp4"))
