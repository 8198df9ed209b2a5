"""The page in Chromium: a picture, a film, keys and buttons, downloads, the sentences of what went wrong."""

from __future__ import annotations

import base64
import csv
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.browsers.chromium import Chromium
from helpers.browsers.page import (
    MESSAGE,
    close_source,
    downloaded,
    messages_held,
    pixels,
    spoken,
    state,
    until,
    wait_for_frames,
)

from data.sources.sample import portrait, sample_frame
from pipeline.run import FrameResult
from web.about import STILL_IMGSZ, about

PRESSED = "document.getElementById({!r}).ariaPressed"
NUMBERS = itertools.count()  # of pictures: the page remembers what it has seen


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / f"portrait, with a comma {next(NUMBERS)}.png"
    cv2.imwrite(str(path), cv2.cvtColor(portrait(), cv2.COLOR_RGB2BGR))
    return path


@pytest.fixture(autouse=True)
def _nothing_open(page: Chromium):
    close_source(page)
    page.console.clear()
    yield
    said, page.console[:] = list(page.console), []
    assert not [line for line in said if "Error" in line or "Refused" in line], said


def test_a_picture_is_found_read_and_explained(page, picture, downloads):
    page.upload("#file", picture)
    page.wait_for("document.getElementById('spoken').textContent.startsWith('The face looks like happiness')")
    shown = pixels(page, "frame")
    assert np.abs(shown[..., :3].astype(int) - portrait()).max() <= 1  # the frame itself is not painted on
    drawing = pixels(page, "overlay").astype(int)
    assert (drawing[..., 3] > 0).mean() > 0.02
    page.key("c")
    table = csv.DictReader(downloaded(page, downloads, ".csv").open(encoding="utf-8", newline=""))
    rows = [row for row in table if row["source"] == picture.name]  # the table holds all that the page has seen
    assert len(rows) == 1
    assert rows[0]["label"] == "happiness"
    assert sum(float(rows[0][f"p_{name}"]) for name in about()["classifier"]["class_names"]) == pytest.approx(
        1, abs=1e-5
    )
    left, top, right, bottom = (float(rows[0][name]) for name in ("x1", "y1", "x2", "y2"))
    assert 150 < left < right < 300
    assert 50 < top < bottom < 250  # Eileen Collins' face
    page.key("s")
    snapshot = cv2.imread(str(downloaded(page, downloads, ".png")))[..., ::-1]
    assert snapshot.shape == portrait().shape
    changed = (np.abs(snapshot.astype(int) - portrait()).max(axis=2) > 8).mean()
    assert 0.02 < changed < 0.5


def test_a_picture_that_was_searched_reduced_says_so(page, tmp_path):
    """Beside how large it was before the page reduced it; as Python's words, which name a flag more."""
    written = (
        "globalThis.put = CanvasRenderingContext2D.prototype.fillText; globalThis.written = [];"
        "CanvasRenderingContext2D.prototype.fillText = function (words, ...where) {"
        " written.push(words); put.call(this, words, ...where) }; true"
    )
    page.evaluate(written)
    for longest, said in ((4000, [f"searched at {STILL_IMGSZ} of 4000 px"]), (2 * STILL_IMGSZ, [])):
        path = tmp_path / f"{longest}.png"
        cv2.imwrite(str(path), np.full((800, longest, 3), 90, np.uint8))
        page.evaluate("written.length = 0")
        page.upload("#file", path)
        page.wait_for("written.some((words) => words.includes('no face'))")
        assert page.evaluate("written.filter((words) => words.startsWith('searched'))") == said
        close_source(page)
    page.evaluate("CanvasRenderingContext2D.prototype.fillText = put; true")
    blank = np.zeros((800, 4000, 3), np.uint8)
    result = FrameResult(blank, (), (), reduced=4000 / STILL_IMGSZ)
    assert result.limits["--imgsz"] == f"searched at {STILL_IMGSZ} of 4000 px; --imgsz"


def test_another_source_takes_over_at_once(page, picture):
    """What was under way for the one before comes too late, and is not shown as the new one's."""
    page.evaluate("document.getElementById('sample').click()")
    wait_for_frames(page, 1)
    page.upload("#file", picture)
    page.wait_for("document.getElementById('spoken').textContent.startsWith('The face looks like happiness')")
    assert pixels(page, "frame").shape[:2] == portrait().shape[:2]


def test_keys_change_what_is_drawn_and_come_back(page, picture):
    page.upload("#file", picture)
    wait_for_frames(page, 1)
    page.wait_for("document.getElementById('message').textContent === ''")  # it is part of the overlay
    start = pixels(page, "overlay")
    for key, button in (("h", "heat"), ("b", "bars")):
        page.key(key)
        page.wait_for(f"{PRESSED.format(button)} === 'false'")
        assert (pixels(page, "overlay") != start).any()
        page.key(key)
        page.wait_for(f"{PRESSED.format(button)} === 'true'")
    with messages_held(page):
        page.key("e")
        page.wait_for("document.getElementById('explain').value === 'neutral'")
        for _ in about()["classifier"]["class_names"]:
            page.key("e")
        page.wait_for("document.getElementById('explain').value === ''")
        explainers = about()["explainers"]
        page.key("x")
        page.wait_for(f"document.getElementById('explainer').value === {explainers[1]!r}")
        for _ in explainers[1:]:
            page.key("x")
        page.wait_for(f"document.getElementById('explainer').value === {explainers[0]!r}")
        for key, times in (("e", len(about()["classifier"]["class_names"]) + 1), ("x", len(explainers))):
            page.key("h")
            page.wait_for(f"{PRESSED.format('heat')} === 'false'")
            for _ in range(times):
                page.key(key)  # the first of them switches heatmaps on
            page.wait_for(f"{PRESSED.format('heat')} === 'true'")
        page.wait_for(f"document.getElementById('explainer').value === {explainers[0]!r}")
    until(page, lambda: np.abs(pixels(page, "overlay").astype(int) - start).mean() < 0.5)  # the worker's last heat
    page.key("m")
    page.wait_for(f"{PRESSED.format('mirror')} === 'true'")
    wait_for_frames(page, 2)
    shown = pixels(page, "frame")[..., :3]
    assert np.abs(shown.astype(int) - portrait()[:, ::-1]).max() <= 1


def test_people_stay_the_same_in_a_mirror(page, downloads):
    page.evaluate("document.getElementById('sample').click()")
    wait_for_frames(page, 2)
    page.key("m")
    page.wait_for(f"{PRESSED.format('mirror')} === 'true'")
    seen = state(page)["frames"]
    wait_for_frames(page, seen + 3)
    page.key(" ")
    page.key("m")  # also where the frame stands
    page.wait_for(f"{PRESSED.format('mirror')} === 'false'")
    page.key(" ")
    wait_for_frames(page, seen + 8)
    page.key(" ")
    frames = state(page)["frames"] - 1  # one was shown once more, mirrored, and is in the table once
    page.key("c")
    rows = list(csv.DictReader(downloaded(page, downloads, ".csv").read_text(encoding="utf-8").splitlines()))
    assert {(row["source"], row["face"]) for row in rows[-4 * frames :]} == {("the sample", face) for face in "0123"}
    assert len({row["track"] for row in rows[-4 * frames :]}) == 4


PRESS = "document.dispatchEvent(new KeyboardEvent('keydown', {{ key: {!r} }}));"


def test_a_picture_is_mirrored_as_often_as_was_asked_and_stays_one_row(page, picture, downloads):
    page.upload("#file", picture)
    wait_for_frames(page, 1)
    page.evaluate(3 * PRESS.format("m"))
    page.wait_for(f"{PRESSED.format('mirror')} === 'true'")
    until(page, lambda: np.abs(pixels(page, "frame")[..., :3].astype(int) - portrait()[:, ::-1]).max() <= 1)
    seen = state(page)["frames"]
    page.evaluate(2 * PRESS.format("m"))  # while the first is worked on, the second comes
    wait_for_frames(page, seen + 2)
    assert page.evaluate(PRESSED.format("mirror")) == "true"
    assert np.abs(pixels(page, "frame")[..., :3].astype(int) - portrait()[:, ::-1]).max() <= 1
    page.key("c")
    table = downloaded(page, downloads, ".csv").read_text(encoding="utf-8")
    assert table.count(picture.name) == 1


def test_a_picture_that_was_closed_while_it_was_mirrored_does_not_come_back(page, picture):
    page.upload("#file", picture)
    wait_for_frames(page, 1)
    page.evaluate(
        "globalThis.post = Worker.prototype.postMessage; globalThis.answers = 0;"
        "Worker.prototype.postMessage = function (...order) {"
        " this.addEventListener('message', () => answers++, { once: true }); post.apply(this, order) }; true"
    )
    page.evaluate(PRESS.format("m") + PRESS.format("q") + "document.getElementById('spoken').textContent = ''")
    page.wait_for("answers === 1")
    page.evaluate("Worker.prototype.postMessage = post; true")
    assert page.evaluate("document.getElementById('frame').width") == 1
    assert spoken(page) == ""
    assert state(page)["frames"] == 0


def test_a_message_is_of_its_source(page, picture, tmp_path):
    page.upload("#file", picture)
    wait_for_frames(page, 1)
    page.key("e")
    page.wait_for(f"{MESSAGE} === 'heatmaps are for neutral'")
    page.upload("#file", picture)
    page.wait_for(f"{MESSAGE} === ''")
    page.key("e")
    page.key("q")
    assert page.evaluate(MESSAGE) == ""


def test_a_key_is_refused_where_its_button_is(page):
    assert page.evaluate("document.getElementById('heat').disabled")
    before = page.evaluate("document.getElementById('explain').value + document.getElementById('heat').ariaPressed")
    for key in "hexbmsq":
        page.key(key)
    after = page.evaluate("document.getElementById('explain').value + document.getElementById('heat').ariaPressed")
    assert (after, page.evaluate(MESSAGE)) == (before, "")


def test_help_shows_every_key_and_a_key_does_something(page):
    page.key("?")
    page.wait_for("document.getElementById('keys').open")
    shown = page.evaluate("[...document.querySelectorAll('#keys dt')].map((item) => item.textContent)")
    assert shown == [key for key, _ in about()["keys"]]
    page.key("Escape")
    page.wait_for("!document.getElementById('keys').open")
    known = page.evaluate("fetch('page.js').then((answer) => answer.text())")
    for key in shown:
        name = {"space": '" "', "q / Esc": "escape", "?": '"?"'}.get(key, key)
        assert f"  {name}: " in known, f"{key} is shown, but no key of the page"


def test_the_sample_pauses_and_goes_on(page):
    page.evaluate("document.getElementById('sample').click()")
    wait_for_frames(page, 3)
    assert "happiness" in spoken(page)
    page.key(" ")
    page.wait_for(f"{PRESSED.format('pause')} === 'true'")
    count = state(page)["frames"]
    page.evaluate("new Promise((resolve) => setTimeout(resolve, 700))")
    assert state(page)["frames"] <= count + 1  # the one that was under way, however long it takes
    page.key(" ")
    wait_for_frames(page, count + 3)


@pytest.mark.long
def test_a_film_of_pictures_that_change_their_size_is_letterboxed(page, tmp_path):
    """As where a phone is turned; each size is seen until the recorder has taken it."""
    film, suffix = page.evaluate(
        """(async () => {
        const { Recorder } = await import("/app/outputs.js");
        const picture = (width, height, colour) => {
          const canvas = Object.assign(document.createElement("canvas"), { width, height });
          const context = canvas.getContext("2d");
          context.fillStyle = colour;
          context.fillRect(0, 0, width, height);
          return canvas;
        };
        const moment = () => new Promise((resolve) => setTimeout(resolve, 100));
        const recorder = new Recorder(picture(320, 240, "red"));
        for (let i = 0; i < 5; i++) await moment(recorder.add(picture(320, 240, "red")));
        for (let i = 0; i < 5; i++) await moment(recorder.add(picture(240, 320, "lime")));
        const { blob, suffix } = await recorder.stop();
        const { promise, resolve } = Promise.withResolvers();
        Object.assign(new FileReader(), { onload: ({ target }) => resolve(target.result) }).readAsDataURL(blob);
        return [await promise, suffix]; })()"""
    )
    path = tmp_path / f"turned{suffix}"
    path.write_bytes(base64.b64decode(film.partition(",")[2]))
    video, frames = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        frames.append(read[1].astype(int))
    assert {frame.shape for frame in frames} == {(240, 320, 3)}
    first, last = frames[0], frames[-1]
    assert first[120, 20, 2] > 180 > 90 > first[120, 20, 1]
    assert last[120, 160, 1] > 180 > 90 > last[120, 160, 2]  # BGR: green in the middle, 180 pixels wide
    assert last[120, 80, 1] > 180
    assert last[120, [20, 300]].max() < 40  # black at its sides


@pytest.mark.long
def test_a_recording_is_a_film_of_what_was_seen(page, downloads):
    page.evaluate("document.getElementById('sample').click()")
    wait_for_frames(page, 2)
    page.key("r")
    page.wait_for(f"{PRESSED.format('record')} === 'true'")
    wait_for_frames(page, state(page)["frames"] + 4)
    page.key("r")
    suffix = page.wait_for(f"{MESSAGE}.match(/saved .*(\\.webm|\\.mp4)$/)?.[1]")
    path = downloaded(page, downloads, suffix)
    ok, frame = cv2.VideoCapture(str(path)).read()
    assert ok
    assert frame.shape == (480, 640, 3)
    assert np.abs(cv2.blur(frame, (25, 25)).mean() - sample_frame(0).mean()) < 40


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.txt", b"no picture", "notes.txt is no picture or film that this browser can read"),
        ("empty.png", b"", "empty.png is empty"),
        ("cut.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 40, "cut.jpg is no picture or film"),
        ("film.mp4", b"\0\0\0\x18ftypmp42" + b"\0" * 80, "film.mp4 is no picture or film"),
    ],
)
def test_files_that_are_none_are_refused_in_a_sentence(page, tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    page.upload("#file", path)
    page.wait_for("document.body.dataset.state === 'trouble'")
    assert page.evaluate("document.getElementById('trouble').textContent").startswith(words)


def test_a_refused_file_leaves_the_picture_that_is_open(page, picture, tmp_path):
    page.upload("#file", picture)
    wait_for_frames(page, 1)
    (tmp_path / "notes.txt").write_bytes(b"no picture")
    page.upload("#file", tmp_path / "notes.txt")
    page.wait_for(f"{MESSAGE}.startsWith('notes.txt is no picture')")
    assert page.evaluate("document.body.dataset.state") == "running"


def test_dropped_and_pasted_pictures_open(page):
    code = """(async () => {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 64;
      const blob = await new Promise((resolve) => canvas.toBlob(resolve));
      const data = new DataTransfer();
      data.items.add(new File([blob], "dropped.png", { type: "image/png" }));
      document.dispatchEvent(new %s("%s", { %s: data, bubbles: true, cancelable: true }));
    })()"""
    for event in (("DragEvent", "drop", "dataTransfer"), ("ClipboardEvent", "paste", "clipboardData")):
        close_source(page)
        page.evaluate(code % event)
        page.wait_for("document.getElementById('spoken').textContent === 'No face.'")


@pytest.mark.parametrize(("picture_wh", "noticed"), [((2000, 667), False), ((400, 3500), False), ((640, 480), True)])
def test_the_notice_stands_in_the_picture_or_else_below_it(page, tmp_path, picture_wh, noticed):
    cv2.imwrite(str(tmp_path / "wide.png"), np.full((picture_wh[1], picture_wh[0], 3), 128, np.uint8))
    page.resize(360, 640)
    page.upload("#file", tmp_path / "wide.png")
    wait_for_frames(page, 1)
    assert page.evaluate("document.body.classList.contains('noticed')") is noticed
    clip = page.evaluate("getComputedStyle(document.getElementById('notice')).clipPath")
    page.resize(1280, 720)
    assert (clip == "none") is not noticed
