"""Live sources, with a capture that does what the test tells it."""

import queue
import threading
import time
from typing import ClassVar

import cv2
import numpy as np
import pytest

from data.sources import camera
from data.sources.camera import LiveSource, list_cameras, open_camera, open_stream
from support import UserError

UNPLUGGED = object()


class FakeCapture:
    """Gives the pictures put into it, one a read; each read waits for one. Grey level = the number put in."""

    def __init__(self, *numbers):
        self.script = queue.Queue()
        self.waiting = threading.Event()  # everything put in has been read, and what was read is published
        self.released = 0
        self.put(*numbers)

    def put(self, *numbers):
        self.waiting.clear()
        for number in numbers:
            self.script.put(number)

    def read(self):
        if self.script.empty():
            self.waiting.set()
        number = self.script.get()
        if number is UNPLUGGED:
            return False, None
        return True, np.full((4, 6, 3), number, np.uint8)

    def release(self):
        self.released += 1


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(camera, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(camera, "LONGEST_WAIT_S", 0.02)
    monkeypatch.setattr(camera, "CLOSE_WAIT_S", 0.2)


def _live(capture, *later):
    return LiveSource("camera 7", capture, reopen=iter(later).__next__, advice="plug it in")


def test_a_slow_consumer_gets_the_newest_frame():
    capture = FakeCapture(0)
    with _live(capture) as source:
        assert source.live
        assert source.fps is None
        assert source.count is None
        assert source.read().image_rgb[0, 0, 0] == 0
        capture.put(1, 2, 3, 4, 5)
        assert capture.waiting.wait(5)
        frame = source.read()
        assert frame.image_rgb[0, 0, 0] == 5
        assert frame.index == 1
        assert source.read(timeout_s=0.01) is None, "a frame is given once"
        assert not source.ended
    capture.put(0)  # lets the thread end


def test_a_fast_camera_never_lags_behind():
    class Running(FakeCapture):
        number = 0

        def read(self):
            time.sleep(0.002)
            self.number += 1
            return True, np.full((4, 6, 3), self.number, np.uint8)

    capture = Running()
    with _live(capture) as source:
        for _ in range(5):
            time.sleep(0.04)
            lag = capture.number - int(source.read().image_rgb[0, 0, 0])
            assert lag <= 2
        assert capture.number > 25, "the camera ran on while the consumer slept"


@pytest.mark.parametrize(
    ("age", "next_comes", "number", "waited"),
    [
        (0.2, True, 1, (0.0, 0.4)),
        (0.75, True, 2, (0.1, 0.9)),
        (0.75, False, 1, (0.1, 0.9)),
        (1.5, False, 1, (0.0, 0.4)),
    ],
    ids=["fresh", "stale", "stale and the next is late", "the camera is late anyway"],
)
def test_a_picture_about_to_be_replaced_is_left_for_the_next(age, next_comes, number, waited):
    """Ages and waits are in units of the time between two of the camera's pictures."""
    gap_s, capture = 0.2, FakeCapture(0)
    with _live(capture) as source:
        source.read()
        capture.put(1)
        assert capture.waiting.wait(5)
        source._gap_s = gap_s
        time.sleep(age * gap_s)
        if next_comes:
            threading.Timer((0.95 - age) * gap_s, capture.put, args=[2]).start()
        started = time.monotonic()
        assert source.read().image_rgb[0, 0, 0] == number
        assert waited[0] * gap_s <= time.monotonic() - started < waited[1] * gap_s
        time.sleep(gap_s)  # the timer has put its picture
        capture.put(0)


def test_the_pace_of_a_camera_is_learned_and_an_outage_does_not_change_it(monkeypatch):
    class Clock:
        now_s = 10.0

    monkeypatch.setattr(camera.time, "monotonic", lambda: Clock.now_s)
    capture = FakeCapture(*range(60))
    with _live(capture) as source:
        assert capture.waiting.wait(5)
        for _ in range(60):
            Clock.now_s += 0.04
            source._take(FakeCapture(1))
        assert source._gap_s == pytest.approx(0.04, rel=0.02)
        Clock.now_s += 1000.0
        source._take(FakeCapture(1))
        assert source._gap_s < 0.05
    capture.put(0)


def test_unplugged_and_back(caplog):
    first, dead, back = FakeCapture(1), FakeCapture(UNPLUGGED), FakeCapture(2)
    with _live(first, dead, back) as source:
        before = source.read()
        first.put(UNPLUGGED)
        after = source.read(timeout_s=5)
        assert after.image_rgb[0, 0, 0] == 2
        assert after.index == 1
        assert after.time_s > before.time_s
        assert back.waiting.wait(5)
        assert [record.message for record in caplog.records] == [
            "camera 7 gives no picture any more; waiting for it to come back.",
            "camera 7 is back.",
        ]
    back.put(0)
    assert first.released == dead.released == 1


def test_the_window_stays_alive_while_the_camera_is_away():
    capture = FakeCapture(1, UNPLUGGED)
    with LiveSource("camera 7", capture, reopen=lambda: FakeCapture(UNPLUGGED), advice="") as source:
        source.read()
        started = time.monotonic()
        assert source.read(timeout_s=0.05) is None
        assert not source.ended
        assert 0.04 < time.monotonic() - started < 1
    assert source.read() is None
    assert source.ended


def test_no_first_picture_is_one_sentence():
    capture = FakeCapture(UNPLUGGED)
    with pytest.raises(UserError, match=r"^camera 7 gives no picture; plug it in\.$") as error:
        _live(capture)
    assert error.value.exit_code == 1
    assert capture.released == 1


def test_closing_ends_the_thread_and_releases():
    capture = FakeCapture(*range(200))
    source = _live(capture)
    for _ in source:
        break
    capture.put(0)
    source._thread.join(5)
    assert source.ended
    assert capture.released == 1


def test_a_hanging_driver_does_not_hold_up_the_exit():
    source = _live(FakeCapture(1))  # its second read never returns
    started = time.monotonic()
    source.close()
    assert time.monotonic() - started < 1
    assert source._thread.daemon


class FakeVideoCapture:
    """`cv2.VideoCapture` of a machine with cameras 0 and 2, which always give blue pictures of 8 x 6."""

    opened: ClassVar[list["FakeVideoCapture"]] = []

    def __init__(self, target, *options):
        self.target, self.asked = target, {}
        FakeVideoCapture.opened.append(self)

    def set(self, setting, value):
        self.asked[setting] = value

    def get(self, setting):
        return -1.0

    def read(self):
        time.sleep(0.001)
        if self.target in (1, "rtsp://nobody/"):
            return False, None
        return True, np.full((6, 8, 3), (255, 0, 0), np.uint8)

    def release(self):
        pass


@pytest.fixture
def fake_cv2(monkeypatch):
    FakeVideoCapture.opened.clear()
    monkeypatch.setattr(cv2, "VideoCapture", FakeVideoCapture)


def test_open_camera_asks_for_size_and_gives_rgb(fake_cv2):
    with open_camera(2, width=1280, fps=60) as source:
        frame = source.read()
    (capture,) = FakeVideoCapture.opened
    assert capture.target == 2
    assert capture.asked == {cv2.CAP_PROP_FRAME_WIDTH: 1280, cv2.CAP_PROP_FPS: 60}
    assert frame.image_rgb.shape == (6, 8, 3)
    assert frame.image_rgb[0, 0].tolist() == [0, 0, 255]
    assert frame.name == "camera 2"
    assert frame.time_s >= 0


def test_open_stream_keeps_secrets_out_of_the_description(fake_cv2):
    with open_stream("rtsp://me:secret@door.local:554/cam?token=secret") as source:
        assert source.live
        assert source.description == "rtsp://door.local:554/cam"
    with pytest.raises(UserError, match="check the address"):
        open_stream("rtsp://nobody/")


def test_list_cameras(fake_cv2):
    assert list_cameras(3) == [(0, 8, 6), (2, 8, 6)]
