"""Films in Chromium: to their end and once more, in browsers that tell of no frame, damaged in their middle."""

from __future__ import annotations

import csv
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.browsers.chromium import Chromium
from helpers.browsers.page import MESSAGE, close_source, downloaded, pixels, state, wait_for_frames, write_sample
from PIL import Image

from data.sources.sample import sample_frame
from pipeline.output.film import VideoWriter

PAUSED = "document.getElementById('pause').ariaPressed === 'true'"
OVER = f"{MESSAGE}.startsWith('the film is over')"


@pytest.fixture(autouse=True)
def _nothing_said(page: Chromium):
    page.evaluate("document.getElementById('message').textContent = ''")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A second and a half of the sample."""
    return write_sample(tmp_path / "film.webm", frames=15)


def test_a_film_plays_to_its_end(page, film):
    page.upload("#file", film)
    wait_for_frames(page, 1)
    page.wait_for(OVER)
    assert page.evaluate("document.body.dataset.state") == "running"  # its last frame stays
    assert page.evaluate(PAUSED)
    seen = state(page)["frames"]
    page.key(" ")  # and it plays again
    wait_for_frames(page, seen + 1)
    assert not page.evaluate(PAUSED)


def test_a_film_goes_on_where_the_next_file_is_refused(page, tmp_path):
    page.upload("#file", write_sample(tmp_path / "film.webm", frames=20))
    wait_for_frames(page, 1)
    (tmp_path / "notes.txt").write_text("no picture")
    page.upload("#file", tmp_path / "notes.txt")
    page.wait_for(f"{MESSAGE}.startsWith('notes.txt is no picture')")
    page.wait_for(PAUSED)  # which only its end does


def test_a_film_that_is_called_off_while_it_opens_stops(page, film):
    page.evaluate(
        "globalThis.play = HTMLMediaElement.prototype.play; globalThis.opened = [];"
        "HTMLMediaElement.prototype.play = async function () {"
        "  await play.call(this); opened.push(this); await new Promise(() => 0) }; true"
    )
    page.upload("#file", film)
    page.wait_for("opened.length === 1")
    page.key("q")
    page.wait_for("opened[0].paused")
    assert not page.evaluate("opened[0].ended")  # then it would have played on
    page.evaluate("HTMLMediaElement.prototype.play = play; true")


def test_it_ends_in_a_browser_that_tells_of_no_frame_and_nothing_goes_on_after_it(page, film):
    page.evaluate(
        "globalThis.told = HTMLVideoElement.prototype.requestVideoFrameCallback;"
        "delete HTMLVideoElement.prototype.requestVideoFrameCallback;"
        "globalThis.timer = setTimeout; globalThis.looks = 0;"
        "globalThis.setTimeout = (task, ms) => { looks += 30 < ms && ms < 40; return timer(task, ms) }; true"
    )
    page.upload("#file", film)
    page.wait_for(OVER)
    assert page.evaluate(PAUSED)
    assert page.evaluate("looks") > 0
    close_source(page)
    page.evaluate("new Promise((resolve) => timer(resolve, 100))")  # for the look that was under way
    page.evaluate("looks = 0")
    page.evaluate("new Promise((resolve) => timer(resolve, 300))")
    assert page.evaluate("looks") == 0
    page.evaluate("HTMLVideoElement.prototype.requestVideoFrameCallback = told; globalThis.setTimeout = timer; true")


def test_one_that_is_damaged_says_how_far_it_goes(page, tmp_path):
    path = tmp_path / "damaged.mp4"
    with VideoWriter(path, 10) as writer:
        for i in range(30):
            writer.write(sample_frame(20 * i), i / 10)
    content = bytearray(path.read_bytes())
    middle = slice(len(content) // 2, len(content) // 2 + len(content) // 4)
    content[middle] = np.random.default_rng(0).integers(0, 256, len(content) // 4, dtype=np.uint8).tobytes()
    path.write_bytes(content)
    page.upload("#file", path)
    page.wait_for(f"/^damaged.mp4 is damaged and ends after [0-9]\\.[0-9] s$/.test({MESSAGE})")
    assert page.evaluate(PAUSED)
    assert page.evaluate("document.body.dataset.state") == "running"


def test_one_waits_while_the_page_is_hidden(page, film):
    """It would run to its end unseen."""
    page.evaluate(
        "globalThis.play = HTMLMediaElement.prototype.play; globalThis.opened = null;"
        "HTMLMediaElement.prototype.play = function () { opened = this; return play.call(this) };"
        "globalThis.turn = (hidden) => {"
        "  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        "  document.dispatchEvent(new Event('visibilitychange')) }; true"
    )
    page.upload("#file", film)
    wait_for_frames(page, 1)
    page.evaluate("turn(true)")
    assert page.evaluate("opened.paused && !opened.ended")
    assert not page.evaluate(PAUSED)  # by nobody
    page.evaluate("turn(false); delete document.hidden; HTMLMediaElement.prototype.play = play; true")
    page.wait_for(OVER)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_an_animation_is_a_film(page, tmp_path, suffix):
    frames = [Image.fromarray(sample_frame(20 * i)) for i in range(4)]
    path = tmp_path / f"moving{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=250)
    page.upload("#file", path)
    wait_for_frames(page, 2)
    assert state(page)["faces"]
    page.wait_for(f"{MESSAGE} === 'the animation is over; space plays it again'")
    assert page.evaluate(PAUSED)
    seen = state(page)["frames"]
    page.key(" ")
    wait_for_frames(page, seen + 1)


@pytest.mark.parametrize("duration", [0, 10, 100])
def test_an_animation_takes_its_time_also_where_it_asks_for_none(page, tmp_path, downloads, duration):
    """0.1 s a picture, as in browsers and in live.py: smoothing and tracks live by the time."""
    frames = [Image.fromarray(sample_frame(20 * i)) for i in range(4)]
    path = tmp_path / f"fast{duration}.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration)
    page.upload("#file", path)
    page.wait_for(f"{MESSAGE} === 'the animation is over; space plays it again'")
    page.key("c")
    rows = downloaded(page, downloads, ".csv").read_text(encoding="utf-8").splitlines()
    times = {float(row["time_s"]) for row in csv.DictReader(rows) if row["source"] == path.name}
    assert times <= {0.0, 0.1, 0.2, 0.3}
    assert max(times) == 0.3  # the last one is never left out


def test_a_see_through_animation_is_on_white(page, tmp_path):
    """Also where a frame before showed something there."""
    frames = [Image.new("RGBA", (2100, 64)) for _ in range(3)]  # so wide that it is resized
    for i, frame in enumerate(frames):
        frame.paste((255, 0, 0, 255), (700 * i, 0, 700 * i + 64, 64))
    frames[0].save(tmp_path / "holes.webp", save_all=True, append_images=frames[1:], duration=50, lossless=True)
    page.upload("#file", tmp_path / "holes.webp")
    page.wait_for(f"{MESSAGE} === 'the animation is over; space plays it again'")
    shown = pixels(page, "frame").astype(int)
    red = (np.abs(shown[..., :3] - [255, 0, 0]).max(axis=-1) < 60).mean(axis=0) > 0.5
    white = shown.min(axis=(0, 2)) > 250
    assert red[1400 * 2048 // 2100 + 5 : 1460 * 2048 // 2100 - 5].all()
    assert white[: 1390 * 2048 // 2100].all()


def test_an_animation_that_does_not_even_begin_is_refused(page, tmp_path):
    frames = [Image.fromarray(sample_frame(20 * i)) for i in range(4)]
    frames[0].save(tmp_path / "whole.webp", save_all=True, append_images=frames[1:], duration=100)
    content = bytearray((tmp_path / "whole.webp").read_bytes())
    begin = content.index(b"VP8 ", 30) + 8  # of the first frame's pixels
    content[begin : begin + 200] = bytes(200)
    (tmp_path / "lost.webp").write_bytes(content)
    page.upload("#file", tmp_path / "lost.webp")
    page.wait_for("document.getElementById('trouble').textContent.startsWith('lost.webp ')")
    assert page.evaluate("document.body.dataset.state") == "trouble"


def test_an_animation_that_is_damaged_says_how_far_it_goes(page, tmp_path):
    frames = [Image.fromarray(sample_frame(20 * i)) for i in range(4)]
    frames[0].save(tmp_path / "whole.gif", save_all=True, append_images=frames[1:], duration=100)
    whole = (tmp_path / "whole.gif").read_bytes()
    (tmp_path / "cut.gif").write_bytes(whole[: len(whole) * 7 // 8])
    page.upload("#file", tmp_path / "cut.gif")
    page.wait_for(f"{MESSAGE} === 'cut.gif is damaged and ends after 3 pictures'")
    assert page.evaluate(PAUSED)


def test_sound_without_a_picture_is_told(page, tmp_path):
    with wave.open(str(tmp_path / "talk.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    page.upload("#file", tmp_path / "talk.wav")
    page.wait_for("document.getElementById('trouble').textContent === "
                  "'talk.wav has sound, and no picture that this browser can read. Open another.'")  # fmt: skip


def test_one_of_a_single_frame_is_shown(page, tmp_path):
    path = tmp_path / "one.mp4"
    with VideoWriter(path, 10) as writer:
        writer.write(sample_frame(0), 0.0)
    page.upload("#file", path)
    wait_for_frames(page, 1)
    page.wait_for(OVER)
    assert page.evaluate("document.body.dataset.state") == "running"
    assert state(page)["faces"]


def test_times_begin_at_0_with_its_first_frame(page, tmp_path):
    path = tmp_path / "late.mp4"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", 10, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for i in range(8):
            frame = av.VideoFrame.from_ndarray(sample_frame(i), "rgb24")
            frame.pts = 50 + i  # 5 s
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    page.evaluate("globalThis.times = []; globalThis.post = Worker.prototype.postMessage;"
                  "Worker.prototype.postMessage = function (order, ...rest) {"
                  "  times.push(order.timeS); return post.call(this, order, ...rest) }; true")  # fmt: skip
    page.upload("#file", path)
    page.wait_for(OVER)
    times = page.evaluate("Worker.prototype.postMessage = post; times")
    assert times[0] == 0
    assert max(times) < 1
