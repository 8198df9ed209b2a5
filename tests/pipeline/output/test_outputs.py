"""What a session leaves behind: an error of the key's recording ends that recording only."""

from __future__ import annotations

import numpy as np

from data.sources.frame import Frame, FrameSource
from pipeline.options import SessionOptions
from pipeline.output import outputs as module
from pipeline.output.outputs import Outputs
from pipeline.run import FrameResult
from support import UserError


def test_an_error_of_the_keys_recording_is_a_message_and_ends_that_recording_only(tmp_path, monkeypatch):
    def full_disk(self, image, time_s):
        raise UserError("the disk is full.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module.VideoWriter, "write", full_disk)
    frame, messages = Frame(np.zeros((48, 64, 3), np.uint8), 1.5, 3, "a.png"), []
    with Outputs(SessionOptions(quiet=True), FrameSource("film"), ("fear",), notify=messages.append) as outputs:
        outputs.toggle_recording()
        assert outputs.wants_pictures
        outputs.add(frame, FrameResult(frame.image_rgb, (), ("fear",)), frame.image_rgb)
        assert outputs.recording is None
        assert messages[1] == "the disk is full."
