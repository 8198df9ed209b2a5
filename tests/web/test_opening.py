"""Opening a source: the last click wins, what is called off is let go, and the page says what it waits for."""

from __future__ import annotations

import threading

import pytest
from helpers.browsers.chromium import Chromium
from helpers.browsers.page import MESSAGE, close_source, state, wait_for_frames

from web.serve import Handler, Site

CAMERA = ("--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream")
CLICK = "document.getElementById({!r}).click()"
LIVE = "tracks.map((track) => track.readyState)"
DISABLED = "['close', 'snapshot', 'record'].map((id) => document.getElementById(id).disabled)"
# A camera that is there when `answer()` is called, as after a person's yes; its tracks, to see whether they are let go.
ASKED = """
globalThis.real ??= navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
globalThis.tracks = []; globalThis.answers = [];
navigator.mediaDevices.getUserMedia = async (wanted) => {
  await new Promise((resolve) => answers.push(resolve));
  const stream = await real(wanted);
  tracks.push(...stream.getTracks());
  return stream;
};
globalThis.answer = async (count) => {
  answers.forEach((resolve) => resolve());
  while (tracks.length < count) await new Promise((resolve) => setTimeout(resolve, 20));
}; true"""


@pytest.fixture
def asking(page: Chromium):
    """The page, whose browser asks before it gives a camera."""
    page.evaluate(ASKED)
    yield page
    close_source(page)
    page.evaluate("navigator.mediaDevices.getUserMedia = real; document.getElementById('cameras-label').hidden = true")


def test_what_is_clicked_last_is_shown(asking):
    asking.evaluate(CLICK.format("camera"))
    assert asking.evaluate(DISABLED) == [False, True, True]
    asking.evaluate(CLICK.format("sample"))
    wait_for_frames(asking, 1)
    asking.evaluate("answer(1)")
    asking.wait_for(f"{LIVE}.join() === 'ended'")
    wait_for_frames(asking, state(asking)["frames"] + 2)


def test_a_camera_that_is_called_off_does_not_go_live(asking):
    for call_off in ("q", "Escape"):
        asking.evaluate("tracks.length = answers.length = 0")
        asking.evaluate(CLICK.format("camera"))
        asking.wait_for("answers.length === 1")
        asking.key(call_off)
        assert asking.evaluate("document.body.dataset.state") == "empty"
        asking.evaluate("answer(1)")
        asking.wait_for(f"{LIVE}.join() === 'ended'")
        assert asking.evaluate("document.body.dataset.state") == "empty"


def test_of_two_clicks_on_camera_one_camera_stays(asking):
    asking.evaluate(CLICK.format("camera"))
    asking.evaluate(CLICK.format("camera"))
    asking.evaluate("answer(2)")
    wait_for_frames(asking, 1)
    assert sorted(asking.evaluate(LIVE)) == ["ended", "live"]


@pytest.mark.parametrize(
    "trouble", ["Promise.reject(new DOMException('no', 'NotAllowedError'))", "new Promise(() => 0)"]
)
def test_a_camera_without_a_picture_is_let_go(asking, trouble):
    """Where it cannot be played, and where a person ends a waiting for ever."""
    asking.evaluate(
        "globalThis.play = HTMLMediaElement.prototype.play; globalThis.asked = false;"
        f"HTMLMediaElement.prototype.play = () => {{ asked = true; return {trouble} }};"
        f"{CLICK.format('camera')}"
    )
    asking.evaluate("answer(1)")
    if "reject" not in trouble:
        asking.wait_for("asked")
        asking.key("q")
    asking.wait_for(f"{LIVE}.join() === 'ended'")
    asking.evaluate("HTMLMediaElement.prototype.play = play; true")
    asking.console.clear()  # what could not be played stands there


def test_a_camera_that_gives_no_picture_is_told(page):
    page.evaluate(
        "globalThis.camera = navigator.mediaDevices.getUserMedia; globalThis.paper = document.createElement('canvas');"
        "paper.getContext('2d'); navigator.mediaDevices.getUserMedia = async () => paper.captureStream(0);"
        f"globalThis.timer = setInterval; globalThis.setInterval = (task, ms) => timer(task, ms / 10);"
        f"{CLICK.format('camera')}"
    )
    page.wait_for(f"{MESSAGE} === 'no picture comes from the camera; waiting for it'")
    page.key("q")
    page.evaluate("navigator.mediaDevices.getUserMedia = camera; globalThis.setInterval = timer; true")


def test_of_several_files_one_is_opened_and_named(page):
    page.evaluate(
        "globalThis.paper = document.createElement('canvas'); paper.getContext('2d');"
        "globalThis.files = new DataTransfer(); paper.toBlob((blob) => {"
        "  const { type } = blob;"
        "  for (const name of ['first.png', 'second.png']) files.items.add(new File([blob], name, { type }));"
        "  document.dispatchEvent(new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true })) })"
    )
    page.wait_for(f"{MESSAGE} === 'one of the 2 files is opened: first.png'")


def test_beside_a_source_that_runs_the_opening_of_a_file_is_told(page, tmp_path):
    page.evaluate(CLICK.format("sample"))
    wait_for_frames(page, 1)
    page.evaluate(f"{MESSAGE} = ''; globalThis.decode = createImageBitmap; globalThis.createImageBitmap = () => "
                  "new Promise((resolve) => (globalThis.come = resolve)); true")  # fmt: skip
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    page.upload("#file", tmp_path / "a.jpg")
    page.wait_for(f"{MESSAGE} === 'opening'")
    page.evaluate("globalThis.createImageBitmap = decode; true")


def test_who_leaves_while_it_records_is_asked(page):
    leave = "dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    page.evaluate(CLICK.format("sample"))
    wait_for_frames(page, 1)
    assert page.evaluate(leave)
    page.key("r")
    page.wait_for("document.getElementById('record').ariaPressed === 'true'")
    assert not page.evaluate(leave)
    page.key("r")
    page.wait_for(f"{MESSAGE}.startsWith('saved ') || {MESSAGE} === 'nothing was recorded yet'")
    assert page.evaluate(leave)


def test_a_key_that_is_held_down_is_one_press(page):
    press = "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'r', repeat: %s }))"
    page.evaluate(CLICK.format("sample"))
    wait_for_frames(page, 1)
    for repeat in ("false", "true", "true"):
        page.evaluate(press % repeat)
    assert page.evaluate("document.getElementById('record').ariaPressed") == "true"
    page.key("r")
    page.wait_for(f"{MESSAGE}.startsWith('saved ') || {MESSAGE} === 'nothing was recorded yet'")
    page.evaluate(f"{press % 'false'}; {press % 'false'}")  # at once: nothing can have been recorded
    page.wait_for(f"{MESSAGE} === 'nothing was recorded yet'")


@pytest.mark.long
@pytest.mark.thorough
def test_until_the_networks_are_there_the_page_says_so(site_folder):
    come = threading.Event()

    class Slow(Handler):
        def do_GET(self):
            if "emotion.onnx" in self.path:
                come.wait()
            super().do_GET()

    with Site(site_folder) as site, Chromium(*CAMERA) as browser:
        site.RequestHandlerClass = Slow
        browser.open(site.address)
        browser.wait_for("document.body.dataset.state === 'empty'")
        browser.evaluate(CLICK.format("camera"))
        browser.wait_for("!document.getElementById('pause').disabled")  # it is open
        assert browser.evaluate("document.body.dataset.state") == "opening"
        shown = "['welcome', 'opening', 'loading'].every((id) => document.getElementById(id).checkVisibility())"
        assert browser.evaluate(shown)
        assert browser.evaluate(DISABLED) == [False, True, True]
        come.set()
        wait_for_frames(browser, 1)
        assert browser.evaluate(DISABLED) == [False, False, False]


def test_an_error_while_a_source_runs_closes_it_and_says_so(asking):
    """Else the picture would stand still with the camera on."""
    asking.evaluate(CLICK.format("camera"))
    asking.evaluate("answer(1)")
    wait_for_frames(asking, 1)
    asking.evaluate(
        "globalThis.put = CanvasRenderingContext2D.prototype.putImageData;"
        "CanvasRenderingContext2D.prototype.putImageData = () => { throw new RangeError('no memory') }; true"
    )
    asking.wait_for("document.body.dataset.state === 'trouble'")
    asking.evaluate("CanvasRenderingContext2D.prototype.putImageData = put; true")
    assert "no memory" in asking.evaluate("document.getElementById('trouble').textContent")
    assert asking.evaluate(LIVE) == ["ended"]
    asking.console.clear()
