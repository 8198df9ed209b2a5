"""Live sources, with a capture that does what the test tells it."""

import math
import queue
import threading
import time
from typing import ClassVar

import cv2
import numpy as np
import pytest
from helpers.patience import PATIENCE_S

from data.sources import camera
from data.sources.camera import FrameGap, LiveSource, list_cameras, open_camera, open_stream
from support import UserError

UNPLUGGED, DAMAGED = object(), object()


class FakeCapture:
    """Gives the numbers put into it as grey levels, one a read; each read waits for one."""

    def __init__(self, *numbers):
        self.script = queue.Queue()
        self.changed = threading.Condition()
        self.given, self.begun, self.released = 0, 0, 0  # numbers put in, reads begun, calls of release
        self.put(*numbers)

    def put(self, *numbers):
        self.given += len(numbers)
        for number in numbers:
            self.script.put(number)

    def wait_until_read(self):
        """All that was put in has been read, and published: the next read has begun."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.begun > self.given, PATIENCE_S)

    def read(self):
        with self.changed:
            self.begun += 1
            self.changed.notify_all()
        number = self.script.get()
        if number is UNPLUGGED:
            return False, None
        if number is DAMAGED:
            raise cv2.error("a picture cannot be decoded")
        return True, np.full((4, 6, 3), number, np.uint8)

    def release(self):
        self.released += 1


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(camera, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(camera, "LONGEST_WAIT_S", 0.02)
    monkeypatch.setattr(camera, "CLOSE_WAIT_S", 0.2)


def _live(capture, *later, **options):
    return LiveSource("camera 7", capture, reopen=iter(later).__next__, advice="plug it in", **options)


def test_a_slow_consumer_gets_the_newest_frame():
    capture = FakeCapture(0)
    with _live(capture) as source:
        assert source.live
        assert source.fps is None
        assert source.count is None
        assert source.read().image_rgb[0, 0, 0] == 0
        capture.put(1, 2, 3, 4, 5)
        capture.wait_until_read()
        frame = source.read()
        assert frame.image_rgb[0, 0, 0] == 5
        assert frame.index == 1
        assert source.read(timeout_s=0.01) is None, "a frame is given once"
        assert not source.ended
        capture.put(0)  # lets the thread end


class Clock:
    """Time that the test sets; `asked` is called when the reader asks, which it does while no picture can come."""

    def __init__(self):
        self.now_s = 100.0
        self.asked = lambda: None

    def __call__(self):
        if threading.current_thread() is threading.main_thread():
            self.asked()
        return self.now_s


@pytest.mark.parametrize(
    ("age", "gap_s", "next_comes", "number"),
    [(0.2, 100.0, True, 1), (0.75, 100.0, True, 2), (0.75, 0.1, False, 1), (1.5, 100.0, True, 1)],
    ids=["fresh", "stale", "stale and the next is late", "the camera is late anyway"],
)
def test_a_picture_about_to_be_replaced_is_left_for_the_next(age, gap_s, next_comes, number, monkeypatch):
    """Ages are in gaps. The next picture comes as soon as the reader waits for it, and not before."""
    monkeypatch.setattr(camera, "LONGEST_GAP_S", gap_s)
    clock, capture = Clock(), FakeCapture(0)
    with _live(capture, clock=clock) as source:
        source.read()
        for _ in range(200):  # the pace is learned
            clock.now_s += gap_s
            capture.put(1)
            capture.wait_until_read()
        clock.now_s += age * gap_s
        if next_comes:
            clock.asked = lambda: capture.put(2)
        assert source.read().image_rgb[0, 0, 0] == number
        clock.asked = lambda: None
        capture.put(0)


def test_the_pace_of_a_camera_is_learned_and_an_outage_does_not_change_it():
    gap = FrameGap(10.0)
    for index in range(1, 61):
        gap.picture_came(10 + 0.04 * index)
    assert gap.mean_s == pytest.approx(0.04, rel=0.02)
    gap.picture_came(1000.0)
    assert gap.mean_s < 0.05


def test_a_stale_picture_is_worth_the_rest_of_the_gap():
    gap = FrameGap(0.0)
    for index in range(1, 301):
        gap.picture_came(0.1 * index)
    assert gap.wait_s(30.06) == 0
    assert gap.wait_s(30.075) == pytest.approx(0.025, abs=1e-3)
    assert gap.wait_s(30.11) == 0


@pytest.mark.parametrize("end", [UNPLUGGED, DAMAGED])
def test_unplugged_and_back(caplog, end):
    first, dead, back = FakeCapture(1), FakeCapture(UNPLUGGED), FakeCapture(2)
    with _live(first, dead, back) as source:
        before = source.read()
        first.put(end)
        after = source.read(timeout_s=PATIENCE_S)
        assert after.image_rgb[0, 0, 0] == 2
        assert after.index == 1
        assert after.time_s > before.time_s
        back.wait_until_read()
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
        assert source.read(timeout_s=0.05) is None
        assert not source.ended
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
    source._thread.join(PATIENCE_S)
    assert source.ended
    assert capture.released == 1


def test_a_hanging_driver_does_not_hold_up_the_exit():
    source = _live(FakeCapture(1))  # its second read never returns
    closing = threading.Thread(target=source.close, daemon=True)
    closing.start()
    closing.join(PATIENCE_S)
    assert not closing.is_alive()
    assert source._thread.daemon


class FakeVideoCapture:
    """`cv2.VideoCapture` of cameras 0 and 2, a stream, and a film of three frames: blue pictures of 8 x 6."""

    opened: ClassVar[list["FakeVideoCapture"]] = []
    released = False

    def __init__(self, target, *options):
        self.target, self.asked = target, {}
        self.left = {1: 0, "rtsp://nobody/": 0, "http://me:word@host/film.mp4": 3}.get(target, math.inf)
        FakeVideoCapture.opened.append(self)

    def set(self, setting, value):
        self.asked[setting] = value

    def get(self, setting):
        count = self.left if 0 < self.left < math.inf else -1.0
        return {cv2.CAP_PROP_FRAME_COUNT: count, cv2.CAP_PROP_FPS: 25.0}.get(setting, 0.0)

    def isOpened(self):
        return True

    def read(self):
        time.sleep(0.001)
        self.left -= 1
        return self.left >= 0, np.full((6, 8, 3), (255, 0, 0), np.uint8)

    def release(self):
        self.released = True


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


def test_a_number_or_an_address_that_can_be_none_is_refused_before_it_is_tried(monkeypatch):
    monkeypatch.setattr(camera.cv2, "VideoCapture", None)
    with pytest.raises(UserError, match="no camera 99999999999999999999"):
        open_camera(99999999999999999999)
    with pytest.raises(UserError, match=r"^http://\[::1 is no address"):
        open_stream("http://[::1")


def test_list_cameras(fake_cv2):
    assert list_cameras(3) == [(0, 8, 6), (2, 8, 6)]


def test_a_stream_is_live_and_its_description_holds_no_secret(fake_cv2):
    with open_stream("rtsp://me:secret@door.local:554/cam?token=secret") as source:
        assert isinstance(source, LiveSource)
        assert source.description == "rtsp://door.local:554/cam"


def test_a_stream_without_a_picture_is_one_sentence(fake_cv2):
    with pytest.raises(UserError, match="check the address"):
        open_stream("rtsp://nobody/")


def test_a_video_with_an_end_is_read_as_a_film(fake_cv2, monkeypatch):
    opened = []
    monkeypatch.setattr(camera, "open_film_at", lambda url, *, name: opened.append((url, name)) or "the film")
    assert open_stream("http://me:word@host/film.mp4") == "the film"
    assert opened == [("http://me:word@host/film.mp4", "http://host/film.mp4")]
    assert FakeVideoCapture.opened[0].released


def test_a_video_that_opencv_cannot_open_is_tried_as_a_film(fake_cv2, monkeypatch):
    monkeypatch.setattr(FakeVideoCapture, "isOpened", lambda capture: False)
    monkeypatch.setattr(camera, "open_film_at", lambda url, *, name: "the film")
    assert open_stream("http://host/av1") == "the film"
