"""The window, on a virtual screen where there is one, and the rate meter."""

import ctypes
import os
import select
import shutil
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

from pipeline.output import window as screen
from pipeline.output.window import RateMeter, Window, display_available
from support import UserError

LINUX = sys.platform.startswith("linux")

SHOW_UNTIL_CLOSED = """
import numpy as np
from pipeline.output.window import Window
with Window("test window") as window:
    while not window.closed:
        window.show(np.full((60, 80, 3), (200, 40, 10), np.uint8))
        key = window.key(10)
        if key:
            print(key, flush=True)
    window.show(np.zeros((60, 80, 3), np.uint8))
    assert window.key() is None and window.closed, "a closed window stays closed"
print("closed")
"""


@pytest.fixture
def asked_afresh():
    display_available.cache_clear()
    yield
    display_available.cache_clear()


@pytest.mark.skipif(not LINUX, reason="other systems always have a display")
@pytest.mark.parametrize("display", [None, "", ":987", "nowhere.invalid:0", "nonsense"])
def test_without_a_display_no_window_is_tried(asked_afresh, monkeypatch, display):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    assert display_available() is False
    with pytest.raises(UserError, match="--no-show") as error:
        Window("never")
    assert error.value.exit_code == 1


def test_other_systems_have_a_display(asked_afresh, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert display_available() is True


@pytest.mark.parametrize(
    ("picture_wh", "window_wh"),
    [
        ((640, 480), (640, 480)),
        ((160, 120), (640, 480)),
        ((1280, 720), (1280, 720)),
        ((1920, 1080), (1280, 720)),
        ((3000, 4000), (540, 720)),
        ((100, 1000), (72, 720)),
    ],
)
def test_first_size(picture_wh, window_wh):
    assert screen._first_size(*picture_wh) == window_wh


def test_pictures_of_another_shape_get_a_window_of_theirs(monkeypatch):
    sizes = []
    monkeypatch.setattr(screen, "display_available", lambda: True)
    for name in ("namedWindow", "imshow", "destroyWindow", "waitKey"):
        monkeypatch.setattr(screen.cv2, name, lambda *_: 255)
    monkeypatch.setattr(screen.cv2, "getWindowProperty", lambda *_: 1.0)
    monkeypatch.setattr(screen.cv2, "resizeWindow", lambda title, *size_wh: sizes.append(size_wh))
    with Window("shapes") as window:
        for height, width in ((480, 640), (240, 320), (480, 320), (481, 640), (480, 640)):
            window.show(np.zeros((height, width, 3), np.uint8))
    assert sizes == [(640, 480), (480, 720), (640, 481)]


def test_a_window_that_is_closed_before_its_first_picture_stays_closed(monkeypatch):
    """Qt then knows no window of that name: whatever is asked of it raises."""

    def gone(*_):
        raise screen.cv2.error("NULL guiReceiver")

    monkeypatch.setattr(screen, "display_available", lambda: True)
    monkeypatch.setattr(screen.cv2, "namedWindow", lambda *_: None)
    for name in ("getWindowProperty", "resizeWindow", "imshow", "destroyWindow"):
        monkeypatch.setattr(screen.cv2, name, gone)
    with Window("early") as window:
        assert window.closed
        window.show(np.zeros((48, 64, 3), np.uint8))


def test_a_window_in_the_dock_of_a_mac_is_not_closed(monkeypatch):
    monkeypatch.setattr(screen, "display_available", lambda: True)
    monkeypatch.setattr(screen.sys, "platform", "darwin")
    for name in ("namedWindow", "resizeWindow", "imshow", "destroyWindow", "waitKey"):
        monkeypatch.setattr(screen.cv2, name, lambda *_: 255)
    monkeypatch.setattr(screen.cv2, "getWindowProperty", lambda *_: 0.0)  # what Cocoa says of it
    with Window("dock") as window:
        window.show(np.zeros((48, 64, 3), np.uint8))
        assert not window.closed
    assert window.closed


@pytest.fixture
def virtual_screen(tmp_path, monkeypatch):
    """An Xvfb of its own; gives the file in which it keeps its pixels."""
    if not (LINUX and shutil.which("Xvfb") and shutil.which("xdotool")):
        pytest.skip("needs Xvfb and xdotool")
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "800x600x24", "-fbdir", str(tmp_path), "-noreset"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as answer:
        number = answer.readline().strip()
    if not number:
        server.wait()
        pytest.skip("Xvfb does not start here")
    monkeypatch.setenv("DISPLAY", f":{number}")
    yield tmp_path / "Xvfb_screen0"
    server.terminate()
    server.wait()


@pytest.fixture
def window_process(virtual_screen):
    process = subprocess.Popen([sys.executable, "-c", SHOW_UNTIL_CLOSED], cwd=ROOT, stdout=-1, stderr=-1, text=True)
    yield process
    process.kill()
    process.wait()


def _find_window():
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = subprocess.run(["xdotool", "search", "--name", "test window"], capture_output=True, text=True)
        if found.stdout:
            return int(found.stdout.split()[0])
        time.sleep(0.05)
    raise AssertionError("no window came up")


def _pixel_rgb(framebuffer, x, y):
    """A pixel of Xvfb's XWD file: a header of big-endian words, a colour table of 12 bytes an entry, then BGRX."""
    content = framebuffer.read_bytes()
    words = struct.unpack(">25I", content[:100])
    start = words[0] + 12 * words[19] + words[12] * y + 4 * x
    return tuple(content[start : start + 3][::-1])


def _wait_for_colour(framebuffer, window):
    """Without a window manager Qt misses its first Expose event in 1 start of 7; mapping again sends another."""
    for _ in range(int(PATIENCE_S)):
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            if _pixel_rgb(framebuffer, 320, 240) == (200, 40, 10):
                return
            time.sleep(0.05)
        subprocess.run(["xdotool", "windowunmap", str(window), "windowmap", str(window)], check=True)
    raise AssertionError("the picture does not come up in its colours")


def _press_close_button(window):
    """Send what a window manager sends when its X is clicked: the WM_DELETE_WINDOW message."""

    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype, x11.XInternAtom.restype = ctypes.c_void_p, ctypes.c_ulong
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    protocols, delete = (x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
    # XClientMessageEvent: type, serial, send_event, display, window, message_type, format, 5 words; XEvent is 24 longs
    message = struct.pack("iLiPLLi5l", 33, 0, 1, display.value, window, protocols, 32, delete, 0, 0, 0, 0)
    x11.XSendEvent(display, ctypes.c_ulong(window), 0, 0, message.ljust(struct.calcsize("24l"), b"\0"))
    x11.XCloseDisplay(display)


def test_window_shows_rgb_takes_keys_and_closes(virtual_screen, window_process):
    window = _find_window()
    _wait_for_colour(virtual_screen, window)
    for sent, received in (("h", "h"), ("Q", "q"), ("question", "?"), ("space", "space"), ("Escape", "esc")):
        subprocess.run(["xdotool", "key", "--window", str(window), sent], check=True)
        assert select.select([window_process.stdout], [], [], PATIENCE_S)[0], f"{sent} does not arrive"
        assert window_process.stdout.readline() == f"{received}\n"
    _press_close_button(window)
    out, err = window_process.communicate(timeout=PATIENCE_S)
    assert out == "closed\n"
    assert err == ""
    assert window_process.returncode == 0


class Clock:
    """A clock that the test moves."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


def test_rate_over_the_last_second():
    clock = Clock()
    meter = RateMeter(clock)
    assert meter.per_second == 0.0
    for _ in range(2):  # the second at the same moment
        meter.tick()
        assert meter.per_second == 0.0
    for rate in (25, 10, 0.5):  # each time long enough for the earlier ticks to be forgotten
        for _ in range(round(2 * rate) + 2):
            clock.now_s += 1 / rate
            meter.tick()
        assert meter.per_second == pytest.approx(rate)
    for gap_s in np.tile([0.01, 0.09], 20):  # a mean, not the last gap
        clock.now_s += gap_s
        meter.tick()
    assert meter.per_second == pytest.approx(20, rel=0.05)


@pytest.mark.parametrize(
    ("code", "key"),
    [(0x71, "q"), (0x51, "q"), (0x100071, "q"), (27, "esc"), (32, "space"), (13, "other"),
     (0xFF51, "other"), (0x6CA, "other"), (0x250000, "other"), (63232, "other"), (0xFFE1, None), (-1, None)],
)  # fmt: skip
def test_letters_with_or_without_locks_have_names_and_any_other_key_is_one(monkeypatch, code, key):
    """As X11 (with and without Num Lock under GTK), Windows and macOS give them."""
    monkeypatch.setattr(screen.cv2, "waitKeyEx", lambda wait_ms: code)
    window = Window.__new__(Window)  # no display is needed to name a key
    assert window.key() == key
