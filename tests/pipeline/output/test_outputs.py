"""What a session leaves behind: recordings that keep time while a camera is silent, errors that end only one."""

from __future__ import annotations

import numpy as np
import pytest

from data.sources.frame import Frame, FrameSource
from pipeline.options import SessionOptions
from pipeline.output import outputs as module
from pipeline.output.outputs import Outputs
from pipeline.run import FrameResult
from support import UserError

FRAME = Frame(np.zeros((48, 64, 3), np.uint8), 1.5, 3, "a.png")
RESULT = FrameResult(FRAME.image_rgb, (), ("happiness", "sadness"))


class Live(FrameSource):
    live = True


class Clock:
    now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Outputs of a live source in a folder of their own; the messages; a clock; (time, level) of what was recorded."""
    monkeypatch.chdir(tmp_path)
    messages: list[str] = []
    written: list[tuple[float, int]] = []
    clock = Clock()
    monkeypatch.setattr(
        module.VideoWriter, "write", lambda self, image, time_s: written.append((time_s, int(image[0, 0, 0])))
    )
    options = SessionOptions(quiet=True, save="out.mp4")
    with Outputs(options, Live("camera"), RESULT.class_names, notify=messages.append, clock=clock) as outputs:
        yield outputs, messages, clock, written


def test_a_silent_camera_does_not_stop_its_recording(opened):
    outputs, _, clock, written = opened
    outputs.repeat_last()  # nothing has come yet
    outputs.add(FRAME, RESULT, np.full((48, 64, 3), 7, np.uint8))
    for _ in range(100):
        clock.now_s += 0.02
        outputs.repeat_last()
    times_s = [time_s for time_s, _ in written]
    assert times_s[0] == 1.5
    assert times_s[-1] == pytest.approx(1.5 + 2.0, abs=module.SILENT_S + 0.03)
    assert 0.2 < np.diff(times_s).min() <= np.diff(times_s).max() < 0.3
    assert {level for _, level in written} == {7}


def test_an_error_of_the_keys_recording_is_a_message_and_ends_that_recording_only(opened, monkeypatch):
    outputs, messages, _, _ = opened
    outputs.toggle_recording()
    assert outputs.wants_pictures

    def full_disk(self, image, time_s):
        raise UserError("the disk is full.")

    monkeypatch.setattr(module.VideoWriter, "write", full_disk)
    outputs.video = None
    outputs.add(FRAME, RESULT, np.zeros((48, 64, 3), np.uint8))
    assert outputs.recording is None
    assert messages[1] == "the disk is full."
