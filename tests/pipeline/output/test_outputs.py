"""What a sitting leaves behind: rows, lines, recordings that keep time while a camera is silent."""

from __future__ import annotations

import numpy as np
import pytest

import live
from data.sources.frame import Frame, FrameSource
from pipeline.output import outputs as module
from pipeline.output.outputs import Records, line_of, rows_of
from pipeline.run import FaceResult, FrameResult
from retinaface.face import Face

NAMES = ("glad", "sad")


def result(track: int = 0) -> FrameResult:
    found = Face(np.array([10.2, 20, 30, 40], np.float32), np.zeros((5, 2), np.float32), 0.9)
    face = FaceResult(found, np.array([0.75, 0.25], np.float32), "glad", 0.75, None, None, np.zeros((2, 3)), track)
    return FrameResult(np.zeros((48, 64, 3), np.uint8), (face,), NAMES)


FRAME = Frame(np.zeros((48, 64, 3), np.uint8), 1.5, 3, "a.png")


def test_a_line_of_a_picture_names_the_picture_and_one_of_a_film_the_person():
    (row,) = rows_of(FRAME, result())
    assert line_of(row, "a.png") == "a.png  face 0  looks like glad 75%  [10 20 30 40]"
    assert row.track is None
    (row,) = rows_of(FRAME, result(track=4))
    assert line_of(row, None) == "   1.500 s  person 4  looks like glad 75%  [10 20 30 40]"


class Live(FrameSource):
    live = True


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Records of a live source in a folder of their own; what was said; a clock; (time, level) of what was recorded."""
    monkeypatch.chdir(tmp_path)
    said, written = [], []

    class Clock:
        now_s = 50.0

    monkeypatch.setattr(module.time, "monotonic", lambda: Clock.now_s)
    monkeypatch.setattr(
        module.VideoWriter, "write", lambda self, image, time_s: written.append((time_s, int(image[0, 0, 0])))
    )
    settings = live.Settings(quiet=True, save="out.mp4")
    with Records(settings, Live("camera"), NAMES, say=said.append) as records:
        yield records, said, Clock, written


def test_a_silent_camera_does_not_stop_its_recording(kept):
    records, _, clock, written = kept
    records.hold()  # nothing has come yet
    records.add(FRAME, result(), np.full((48, 64, 3), 7, np.uint8))
    for _ in range(100):
        clock.now_s += 0.02
        records.hold()
    times_s = [time_s for time_s, _ in written]
    assert times_s[0] == 1.5
    assert times_s[-1] == pytest.approx(1.5 + 2.0, abs=module.HOLD_S + 0.03)
    assert 0.2 < np.diff(times_s).min() <= np.diff(times_s).max() < 0.3
    assert {level for _, level in written} == {7}


def test_a_fault_of_the_keys_recording_is_said_and_ends_that_recording_only(kept, monkeypatch):
    records, said, _, _ = kept
    records.toggle_recording()
    assert records.wants_pictures
    monkeypatch.setattr(module.VideoWriter, "write", full_disk)
    records.video = None
    records.add(FRAME, result(), np.zeros((48, 64, 3), np.uint8))
    assert records.recording is None
    assert said[1] == "the disk is full."


def full_disk(self, image, time_s):
    raise module.UserError("the disk is full.")
