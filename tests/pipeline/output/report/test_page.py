"""The page: one file that loads nothing, escapes everything, and says the numbers."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.browsers.chromium import Chromium

from pipeline.drawing.labels import PALETTE
from pipeline.drawing.status_line import NOTICE
from pipeline.output.report.moments import MOST
from pipeline.output.report.page import MARKER, MOST_IN_FULL, page_html
from pipeline.output.report.people import SeenFace, Totals
from pipeline.output.report.session import SessionSummary, Source
from pipeline.output.report.words import Unread

CLASSES = tuple(PALETTE)
EVIL = "<script>alert(1)</script>\"'&\x00\u202e.mp4"
VOID = {"meta", "img", "br", "rect", "path", "line", "circle", "image", "stop"}


class Reader(HTMLParser):
    """Tags in order, and whether each is closed where it must be; the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def session_of(frames: int = 100, *, people: int = 2, name: str = "a.mp4", pictures: bool = False) -> SessionSummary:
    """Each person is happy in the first 3/4 of the frames and sad later, and looks at the camera all the time."""
    session, heat = SessionSummary(CLASSES), np.zeros((8, 8), np.float32)
    for i in range(frames):
        p = np.full(8, 0.02)
        p[1 if i < frames * 0.75 else 3] = 0.86
        faces = [
            SeenFace(t + 1, p, heat, ("gradcam", 1), (lambda: b"jpeg") if pictures else None) for t in range(people)
        ]
        session.add(name, name, i / 10, faces)
    return session


def page_of(session: SessionSummary, **options) -> str:
    return page_html(session, **({"settings": {}, "unread": Unread()} | options))


def test_numbers_settings_and_sentences_are_there():
    unread = Unread()
    unread.add("b.jpg: is not a picture")
    settings = {"source": "a.mp4", "weights": [], "tta": False, "smooth_s": 0.4, "explain_class": None}
    reader = Reader(page_of(session_of(), settings=settings, unread=unread, notes=["A note."]))
    assert reader.open == []
    text = " ".join(reader.text.split())
    for words in (
        "Facial expressions in a.mp4", "1 recording, 0:10; 2 people", NOTICE, "How to read this page", "A note.",
        "b.jpg: is not a picture", "smooth_s 0.4".replace(" ", ""), "weightsdefault", "ttano", "100 frames in 0:10.",
        "seen for 0:10 from 0:00 to 0:10, mostly happiness 75 %, mean confidence 86 %",
        "Person 1", "Person 2",
    ):  # fmt: skip
        assert words in text, words
    assert re.search(r"happiness75 %0:0865 %0:00\.0", text), (
        "share, time, mean probability (0.75 x 86 + 0.25 x 2), peak"
    )
    assert reader.text.count("gradcam, 100 faces") == 2


def test_the_page_is_one_file_that_may_load_nothing():
    page = page_of(session_of(pictures=True))
    reader = Reader(page)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "a"} & set(reader.tags)
    for tag, name, value in reader.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name != "style", tag
        if name in ("src", "href", "srcset", "action"):
            assert value.startswith("data:image/"), (tag, value)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(v for tag, name, v in reader.attributes if name == "content" and "default-src" in v)
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")
    assert "unsafe" not in policy
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert page.index(MARKER) < 1000


def test_everything_from_outside_is_escaped():
    session, unread = SessionSummary(("<b>joy", "x&y")), Unread()
    for i in range(3):
        session.add(EVIL, EVIL, i / 10, [SeenFace(1, np.array([0.9, 0.1]), np.zeros((4, 4), np.float32), ("<i>", 0))])
    session.add("p", EVIL, 0.0, [SeenFace(0, np.array([0.9, 0.1]), None, None, lambda: b"jpeg")], still=True)
    session.add("q", EVIL, 0.0, [], still=True)
    unread.add(EVIL)
    page = page_of(session, settings={EVIL: EVIL}, unread=unread, notes=[EVIL])
    assert not {"script", "b", "i"} & set(Reader(page).tags)
    assert "alert(1)" in page
    assert not {"\x00", "\u202e"} & set(page)
    page.encode("utf-8")


def test_pictures_only_where_they_were_kept():
    without, with_them = page_of(session_of()), page_of(session_of(pictures=True))
    assert "<img" not in without
    assert with_them.count("<img") == 2 * (MOST + 2)  # happiness for 7.5 s, sadness for 2.5 s: 2 moments
    assert base64.b64encode(b"jpeg").decode() in with_them


def test_the_largest_page_stays_below_three_megabytes(rng):
    session, maps = SessionSummary(CLASSES), rng.random((8, 64, 64)).astype(np.float32)
    jpeg = rng.bytes(4500)
    for i in range(600):
        rows = rng.dirichlet(np.ones(8) * 0.3, 30)
        faces = [
            SeenFace(t + 1, p, maps[p.argmax()], ("gradcam", int(p.argmax())), lambda: jpeg) for t, p in enumerate(rows)
        ]
        session.add("crowd", "crowd", i * 60.0, faces)
    page = page_of(session)
    assert len(page.encode()) < 3_000_000
    assert page.count("<article>") == MOST_IN_FULL
    assert page.count("<img") > 200


def test_many_films_are_shown_in_rows():
    session = SessionSummary(CLASSES)
    for film in range(500):
        for i in range(2):
            session.add(film, f"film {film}.mp4", float(i), [SeenFace(1, np.eye(8)[film % 8])])
    page = html.unescape(page_of(session))
    assert "500 recordings" in page
    assert page.count("<article>") == MOST_IN_FULL
    assert "rows more are not shown." in page
    assert "no face" not in page


def test_a_film_played_twice_is_shown_twice():
    session = SessionSummary(CLASSES)
    session.sources = {play: Source("a.mp4", still=False, frames=1, others=Totals(8)) for play in range(2)}
    assert page_of(session).count("<section><h2><bdi>a.mp4") == 2


def test_nothing_seen_is_a_page_too():
    assert "Nothing was read." in page_of(SessionSummary(()))
    session = SessionSummary(CLASSES)
    session.add("a", "a.mp4", 0.0, [])
    assert "no face" in page_of(session)


@pytest.mark.long
def test_a_browser_shows_it_and_refuses_nothing_at_any_width(tmp_path):
    path = tmp_path / "index.html"
    path.write_text(page_of(session_of(name=EVIL)), encoding="utf-8")
    with Chromium() as browser:
        browser.open(path.as_uri())
        assert browser.console == []
        assert browser.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") == "1080px"
        for width in (1280, 390):
            browser.resize(width, 900)
            assert browser.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out"
        nodes = browser.accessibility_tree()
        assert sum(node["role"] == "heading" for node in nodes) >= 8
        images = [node["name"] for node in nodes if node["role"] in ("image", "img")]
        assert any("expressions over time" in name for name in images)
        assert all(images), "every picture has a name"


@pytest.mark.long
def test_long_names_of_pictures_cut_no_column_off(tmp_path):
    session, path = SessionSummary(CLASSES), tmp_path / "index.html"
    for row in range(4):
        name = f"a folder/{'a_name_without_blanks_' * 5}{row}.jpg"
        session.add("p", name, row, [SeenFace(0, np.eye(len(CLASSES))[1])], still=True)
    path.write_text(page_html(session, settings={}, unread=Unread()), encoding="utf-8")
    table = "document.querySelector('.shares')"
    with Chromium() as browser:
        browser.open(path.as_uri())
        for width, columns in ((1280, 6), (768, 6), (390, 4)):
            browser.resize(width, 900)
            assert browser.evaluate(f"{table}.offsetWidth <= {table}.parentElement.clientWidth"), width
            heads = f"[...{table}.querySelectorAll('thead th')].filter((head) => head.offsetWidth)"
            assert browser.evaluate(f"{heads}.length") == columns


def luminance(colour: str) -> float:
    """Relative luminance of #rgb or #rrggbb (WCAG 2.2)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = np.array(list(bytes.fromhex(digits))) / 255
    return float(
        np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
    )


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_text_and_edges_stand_out_by_day_night_and_on_paper():
    style = re.search(r"<style>(.*?)</style>", page_of(session_of(2)), re.DOTALL)[1]
    schemes = [
        dict(re.findall(r"--(\w+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    assert len(schemes) == 3
    for scheme in schemes:
        colours = schemes[0] | scheme
        for ground in ("card", "page"):
            assert contrast(colours["text"], colours[ground]) >= 7
            assert contrast(colours["dim"], colours[ground]) >= 4.5
        assert contrast(colours["edge"], colours["card"]) >= 3
        assert contrast(colours["face"], colours["panel"]) >= 3
