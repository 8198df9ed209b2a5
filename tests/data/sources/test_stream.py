"""Network streams, with captures that do what the test tells them."""

import cv2
import numpy as np
import pytest

from data.sources.camera import LiveSource
from data.sources.stream import open_stream
from support import UserError


class FakeVideoCapture:
    """`cv2.VideoCapture` of a network with one stream that runs, one film of three frames, and nothing else."""

    def __init__(self, url, *options):
        self.left = {"rtsp://nobody/": 0, "http://host/film.mp4": 3}.get(url)  # None: without end

    def get(self, setting):
        return {cv2.CAP_PROP_FRAME_COUNT: self.left or -1.0, cv2.CAP_PROP_FPS: 25.0}.get(setting, 0.0)

    def isOpened(self):
        return True

    def read(self):
        if self.left == 0:
            return False, None
        self.left = None if self.left is None else self.left - 1
        return True, np.zeros((6, 8, 3), np.uint8)

    def release(self):
        pass


@pytest.fixture(autouse=True)
def _fake_cv2(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", FakeVideoCapture)


def test_a_stream_is_live_and_its_description_holds_no_secret():
    with open_stream("rtsp://me:secret@door.local:554/cam?token=secret") as source:
        assert isinstance(source, LiveSource)
        assert source.description == "rtsp://door.local:554/cam"


def test_no_picture_is_one_sentence():
    with pytest.raises(UserError, match="check the address"):
        open_stream("rtsp://nobody/")


def test_a_video_with_an_end_is_read_as_a_film():
    with open_stream("http://host/film.mp4") as source:
        assert (source.live, source.fps, source.count) == (False, 25.0, 3)
        assert len(list(source)) == 3
