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


def test_faces_are_found_and_bars_move(browser):
    browser.evaluate(CLICK)
    wait_for_frames(browser, 3)
    first = browser.evaluate("document.getElementById('overlay').toDataURL()")
    assert state(browser)["faces"] == "1"
    assert "happiness" in spoken(browser)
    wait_for_frames(browser, 6)
    assert browser.evaluate("document.getElementById('overlay').toDataURL()") != first
    assert browser.evaluate("document.getElementById('mirror').ariaPressed") == "true"  # a camera is a mirror
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


def test_another_camera_is_chosen(page):
    """The chooser is there once a camera runs; the one that ran is let go before the other is opened."""
    assert page.evaluate("document.getElementById('cameras-label').hidden")
    page.evaluate(
        "globalThis.real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices); globalThis.live = [];"
        "navigator.mediaDevices.getUserMedia = async (wanted) => {"
        " live.push(globalThis.track?.readyState ?? 'none'); const stream = await real(wanted);"
        " globalThis.track = stream.getVideoTracks()[0]; return stream }"
    )
    page.evaluate(CLICK)
    wait_for_frames(page, 1)
    page.wait_for("!document.getElementById('cameras-label').hidden")
    names = page.evaluate("[...document.getElementById('cameras').options].map(({ text }) => text)")
    assert names == ["fake_device_0", "fake_device_1"]
    chosen = "[document.getElementById('cameras').selectedIndex, track.label]"
    assert page.evaluate(chosen) == [0, "fake_device_0"]
    page.evaluate("document.getElementById('cameras').focus()")
    page.evaluate("document.getElementById('cameras').selectedIndex = 1")
    page.evaluate("document.getElementById('cameras').dispatchEvent(new Event('change'))")
    page.wait_for("track.label === 'fake_device_1'")
    wait_for_frames(page, 1)
    assert page.evaluate(chosen) == [1, "fake_device_1"]
    assert page.evaluate("document.activeElement.id") == "cameras"  # the keyboard stays where it was
    close_source(page)
    page.evaluate(CLICK)  # the button opens the one that was chosen
    wait_for_frames(page, 1)
    assert page.evaluate(chosen) == [1, "fake_device_1"]
    assert page.evaluate("live") == ["none", "ended", "ended"]
    close_source(page)
    page.evaluate("navigator.mediaDevices.getUserMedia = real")


def test_a_camera_that_falls_silent_is_said(browser):
    browser.evaluate(
        "globalThis.real ??= navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "globalThis.canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });"
        "globalThis.paint = () => { canvas.getContext('2d').fillStyle = `rgb(0 0 ${Math.random() * 255})`;"
        " canvas.getContext('2d').fillRect(0, 0, 320, 240) };"
        "globalThis.drawing = setInterval(paint, 50); paint();"
        f"navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(20); {CLICK}"
    )
    wait_for_frames(browser, 2)
    assert browser.evaluate("document.getElementById('message').textContent") == ""
    browser.evaluate("clearInterval(drawing)")
    browser.wait_for(
        "document.getElementById('message').textContent === 'no picture comes from the camera; waiting for it'"
    )
    browser.evaluate("drawing = setInterval(paint, 50)")
    wait_for_frames(browser, state(browser)["frames"] + 2)  # and goes on
    browser.evaluate("clearInterval(drawing)")
    close_source(browser)
    browser.evaluate("navigator.mediaDevices.getUserMedia = real; true")


def test_an_unplugged_camera_is_said(browser):
    browser.evaluate(
        "globalThis.real ??= navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "navigator.mediaDevices.getUserMedia = async (wanted) => (globalThis.stream = await real(wanted))"
    )
    browser.evaluate(CLICK)
    wait_for_frames(browser, 1)
    browser.evaluate("stream.getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    assert browser.wait_for(TROUBLE).startswith("The camera is gone.")
    assert browser.evaluate("document.getElementById('close').disabled")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotReadableError", "The camera is in use by another program."),
        ("OverconstrainedError", "That camera is not there any more."),
        ("SomethingNew", "The camera cannot be used (why)."),
    ],
)
def test_every_failure_has_a_sentence(browser, name, words):
    browser.evaluate(
        f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('why', {name!r})); {CLICK}"
    )
    browser.wait_for(f"{TROUBLE}.startsWith({words!r})")
    browser.evaluate("document.getElementById('sample').click()")  # the sample remains
    wait_for_frames(browser, 1)
    close_source(browser)


def test_a_refused_camera_is_said_and_the_sample_remains(site):
    with Chromium("--use-fake-device-for-media-stream", "--deny-permission-prompts") as browser:
        open_page(browser, site)
        browser.evaluate(CLICK)
        assert browser.wait_for(TROUBLE).startswith("The browser may not use the camera.")
        browser.evaluate("document.getElementById('sample').click()")
        wait_for_frames(browser, 1)


def test_a_missing_camera_is_said(site):
    with Chromium("--use-fake-ui-for-media-stream") as browser:
        browser.open(site.address)
        browser.wait_for("document.getElementById('help') && document.querySelectorAll('#keys dt').length")
        browser.evaluate(CLICK)
        assert browser.wait_for(TROUBLE).startswith("No camera was found.")
