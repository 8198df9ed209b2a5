"""The camera in Chromium: fed with the bundled sample, refused, missing, unplugged; and memory over many frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.browsers.chromium import Chromium
from helpers.browsers.page import close_source, open_page, spoken, state, wait_for_frames

from data.sources.sample import sample_frame
from web.serve import Site

FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
CLICK = "document.getElementById('camera').click()"
TROUBLE = "document.getElementById('trouble').textContent"


@pytest.fixture(scope="module")
def sample_mjpeg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty frames of the sample, its left half with one face, which Chromium's fake camera shows again and again."""
    path = tmp_path_factory.mktemp("camera") / "sample.mjpeg"
    frames = (sample_frame(10 * i)[:, :320, ::-1] for i in range(60))
    path.write_bytes(b"".join(cv2.imencode(".jpg", np.ascontiguousarray(frame))[1].tobytes() for frame in frames))
    return path


@pytest.fixture(scope="module")
def browser(site: Site, sample_mjpeg: Path):
    with Chromium(*FAKE, f"--use-file-for-fake-video-capture={sample_mjpeg}") as browser:
        browser.resize(1280, 800)
        open_page(browser, site)
        yield browser


def memory_mb(browser: Chromium) -> float:
    """Resident memory of the browser's processes that show pages."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            if b"--type=renderer" in command and browser.profile.encode() in command:
                total += int((folder / "statm").read_text().split()[1])
        except OSError:
            continue  # it has ended meanwhile
    return total * 4096 / 1e6


def collect(browser: Chromium) -> None:
    browser.page("HeapProfiler.collectGarbage")


@pytest.mark.long
@pytest.mark.thorough
def test_faces_are_found_and_bars_move(browser):
    browser.evaluate(CLICK)
    wait_for_frames(browser, 3)
    first = browser.evaluate("document.getElementById('overlay').toDataURL()")
    assert state(browser)["faces"] == "1"
    assert "happiness" in spoken(browser)
    wait_for_frames(browser, 6)
    assert browser.evaluate("document.getElementById('overlay').toDataURL()") != first
    close_source(browser)


@pytest.mark.long
@pytest.mark.thorough
def test_memory_is_bounded(browser):
    browser.evaluate(CLICK)
    wait_for_frames(browser, 20)
    collect(browser)
    before = memory_mb(browser)
    assert before > 0
    wait_for_frames(browser, 320)
    collect(browser)
    assert memory_mb(browser) - before < 60  # frames that `createImageBitmap` keeps would be 180
    close_source(browser)


@pytest.fixture
def asked(page: Chromium):
    """The page for a test that asks it for a camera, or puts another one in its place; then as before."""
    page.evaluate("globalThis.real ??= navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices); true")
    yield page
    close_source(page)
    page.evaluate("navigator.mediaDevices.getUserMedia = real; document.getElementById('cameras-label').hidden = true")


def test_another_camera_is_chosen(asked):
    """The chooser is there once a camera runs; the one that ran is let go before the other is opened."""
    assert asked.evaluate("document.getElementById('cameras-label').hidden")
    asked.evaluate(
        "globalThis.live = [];"
        "navigator.mediaDevices.getUserMedia = async (wanted) => {"
        " live.push(globalThis.track?.readyState ?? 'none'); const stream = await real(wanted);"
        " globalThis.track = stream.getVideoTracks()[0]; return stream }"
    )
    asked.evaluate(CLICK)
    wait_for_frames(asked, 1)
    asked.wait_for("!document.getElementById('cameras-label').hidden")
    names = asked.evaluate("[...document.getElementById('cameras').options].map(({ text }) => text)")
    assert names == ["fake_device_0", "fake_device_1"]
    assert asked.evaluate("document.getElementById('mirror').ariaPressed") == "true"  # a camera is a mirror
    chosen = "[document.getElementById('cameras').selectedIndex, track.label]"
    assert asked.evaluate(chosen) == [0, "fake_device_0"]
    asked.evaluate("document.getElementById('cameras').focus()")
    asked.evaluate("document.getElementById('cameras').selectedIndex = 1")
    asked.evaluate("document.getElementById('cameras').dispatchEvent(new Event('change'))")
    asked.wait_for("track.label === 'fake_device_1'")
    wait_for_frames(asked, 1)
    assert asked.evaluate(chosen) == [1, "fake_device_1"]
    assert asked.evaluate("document.activeElement.id") == "cameras"  # the keyboard stays where it was
    close_source(asked)
    asked.evaluate(CLICK)  # the button opens the one that was chosen
    wait_for_frames(asked, 1)
    assert asked.evaluate(chosen) == [1, "fake_device_1"]
    assert asked.evaluate("live") == ["none", "ended", "ended"]


def test_a_camera_that_falls_silent_is_said(asked):
    asked.evaluate(
        "globalThis.canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });"
        "globalThis.paint = () => { canvas.getContext('2d').fillStyle = `rgb(0 0 ${Math.random() * 255})`;"
        " canvas.getContext('2d').fillRect(0, 0, 320, 240) };"
        "globalThis.drawing = setInterval(paint, 50); paint();"
        f"navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(20); {CLICK}"
    )
    wait_for_frames(asked, 2)
    assert asked.evaluate("document.getElementById('message').textContent") == ""
    asked.evaluate("clearInterval(drawing)")
    asked.wait_for(
        "document.getElementById('message').textContent === 'no picture comes from the camera; waiting for it'"
    )
    asked.evaluate("drawing = setInterval(paint, 50)")
    wait_for_frames(asked, state(asked)["frames"] + 2)  # and goes on
    asked.evaluate("clearInterval(drawing)")


def test_an_unplugged_camera_is_said(asked):
    asked.evaluate("navigator.mediaDevices.getUserMedia = async (wanted) => (globalThis.stream = await real(wanted))")
    asked.evaluate(CLICK)
    wait_for_frames(asked, 1)
    asked.evaluate("stream.getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    assert asked.wait_for(TROUBLE).startswith("The camera is gone.")
    assert asked.evaluate("document.getElementById('close').disabled")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotAllowedError", "The browser may not use the camera."),
        ("NotReadableError", "The camera is in use by another program."),
        ("OverconstrainedError", "That camera is not there any more."),
        ("SomethingNew", "The camera cannot be used (why)."),
    ],
)
def test_every_failure_has_a_sentence(asked, name, words):
    asked.evaluate(
        f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('why', {name!r})); {CLICK}"
    )
    asked.wait_for(f"{TROUBLE}.startsWith({words!r})")
    asked.evaluate("document.getElementById('sample').click()")  # the sample remains
    wait_for_frames(asked, 1)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--use-fake-device-for-media-stream", "--deny-permission-prompts"], "The browser may not use the camera."),
        (["--use-fake-ui-for-media-stream"], "No camera was found."),
    ],
)
def test_a_refused_or_missing_camera_is_said(site, flags, words):
    with Chromium(*flags) as browser:
        browser.open(site.address)
        browser.wait_for("document.getElementById('help') && document.querySelectorAll('#keys dt').length")
        browser.evaluate(CLICK)
        assert browser.wait_for(TROUBLE).startswith(words)
