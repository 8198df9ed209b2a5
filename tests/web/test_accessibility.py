"""The page without a mouse, without eyes, in small and large windows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from helpers.browsers.page import close_source, wait_for_frames

SIZES = [(320, 568), (375, 812), (812, 375), (768, 1024), (1280, 800), (2560, 1440)]
CONTRAST = """(() => {
  const light = ([r, g, b]) => {
    const linear = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.7) return colour;
    }
    return [0, 0, 0];
  };
  const words = [...document.querySelectorAll("h1, p, button, label, select, dt, dd, h2")];
  return words.filter((e) => e.textContent.trim() && !e.disabled).map((e) => {
    const [a, b] = [light(numbers(getComputedStyle(e).color)), light(ground(e))];
    return [e.id || e.textContent.trim().slice(0, 20), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  });
})()"""
NAMES = {
    "button": {"Camera", "Picture or film", "Sample", "Close", "Pause", "Heat", "Bars", "Mirror", "Snapshot", "Table"}
    | {"Record", "Keys"},
    "combobox": {"Explain", "Explain by"},
    "group": {"Source", "View", "Keep"},
}


def focused(page) -> str:
    return page.evaluate("document.activeElement.id || document.activeElement.tagName")


def test_every_control_has_a_role_and_a_name(page):
    close_source(page)
    tree = page.accessibility_tree()
    for role, names in NAMES.items():
        assert names <= {node["name"].strip() for node in tree if node["role"] == role}, role
    assert [node["name"] for node in tree if node["role"] == "heading"] == ["Facial expressions"]
    assert {"main", "navigation", "contentinfo"} <= {node["role"] for node in tree}
    nameless = [node for node in tree if node["role"] in ("button", "combobox", "image", "dialog") and not node["name"]]
    assert not nameless


def test_the_picture_tells_what_it_shows(page):
    page.evaluate("document.getElementById('sample').click()")
    wait_for_frames(page, 2)
    images = [node["name"] for node in page.accessibility_tree() if node["role"] in ("image", "img")]
    assert any(name.startswith("4 faces look like") for name in images), images
    assert page.evaluate("document.getElementById('spoken').getAttribute('aria-live')") == "polite"


def test_the_focus_does_not_stay_on_a_button_that_is_disabled(page):
    page.evaluate("document.getElementById('sample').click()")
    wait_for_frames(page, 1)
    page.evaluate("document.getElementById('sample').focus()")
    page.key("Tab")
    assert focused(page) == "close"
    page.key("Enter")
    page.wait_for("document.body.dataset.state === 'empty'")
    assert focused(page) == "camera"


@pytest.mark.parametrize("size", [(320, 568), (375, 667)])
def test_the_notice_covers_no_control_in_focus(page, tmp_path, size):
    """Under a picture that is too narrow for the notice, on a phone."""
    cv2.imwrite(str(tmp_path / "pole.png"), np.zeros((4000, 3), np.uint8))
    page.resize(*size, phone=True)
    page.upload("#file", tmp_path / "pole.png")
    wait_for_frames(page, 1)
    page.evaluate("scrollTo(0, 0); document.activeElement.blur()")
    for _ in range(10):
        page.key("Tab")
        name, top, bottom, notice = page.evaluate(
            "(() => { const box = (e) => e.getBoundingClientRect(); const at = document.activeElement;"
            " return [at.id, box(at).top, box(at).bottom, box(document.querySelector('footer')).top] })()"
        )
        assert name == "" or (top >= 0 and bottom <= notice), (name, top, bottom, notice)
    page.resize(1280, 800)


def test_the_tab_key_goes_through_all_controls_in_reading_order(page):
    close_source(page)
    page.evaluate("document.getElementById('sample').click()")
    wait_for_frames(page, 1)
    page.evaluate("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    order = []
    chooser = [] if page.evaluate("document.getElementById('cameras-label').hidden") else ["cameras"]
    for _ in range(14 + len(chooser)):
        page.key("Tab")
        order.append(focused(page))
    wanted = [
        "camera",
        *chooser,  # once a camera was allowed
        "open",
        "sample",
        "close",
        "pause",
        "heat",
        "bars",
        "mirror",
        "explain",
        "explainer",
        "snapshot",
    ]
    wanted += ["table", "record", "help"]
    assert order == wanted
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"  # focus is seen


def test_help_opens_at_its_beginning_also_where_it_does_not_fit(page):
    page.resize(320, 256)
    page.key("?")
    page.wait_for("document.getElementById('keys').open")
    scrolled = page.evaluate("document.getElementById('keys').scrollTop")
    rest = page.evaluate("document.getElementById('keys').scrollHeight - document.getElementById('keys').clientHeight")
    page.key("Escape")
    page.resize(1280, 800)
    assert scrolled == 0 < rest


def test_everything_is_done_from_the_keyboard(page):
    close_source(page)
    page.evaluate("document.getElementById('sample').focus()")
    page.key("Enter")
    wait_for_frames(page, 1)
    page.evaluate("document.getElementById('help').focus()")
    page.key("Enter")
    page.wait_for("document.getElementById('keys').open")
    assert page.evaluate("document.getElementById('keys').contains(document.activeElement)")
    page.key("Escape")
    page.wait_for("!document.getElementById('keys').open && document.activeElement.id === 'help'")
    page.key("q")
    page.wait_for("document.body.dataset.state === 'empty'")


def test_space_pauses_after_a_click_by_a_pointer(page):
    close_source(page)
    spot = (
        "(() => { const r = document.getElementById('sample').getBoundingClientRect(); return [r.x + 9, r.y + 9] })()"
    )
    x, y = page.evaluate(spot)
    for kind in ("mousePressed", "mouseReleased"):
        page.page("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    wait_for_frames(page, 1)
    page.key(" ")
    page.wait_for("document.getElementById('pause').ariaPressed === 'true'")
    close_source(page)


def test_words_stand_out_from_their_ground(page):
    for open_help in (False, True):
        if open_help:
            page.key("?")
        faint = [(name, round(ratio, 2)) for name, ratio in page.evaluate(CONTRAST) if ratio < 4.5]
        assert not faint
    page.key("Escape")


def test_nothing_moves_for_those_who_asked(page):
    page.page("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    assert page.evaluate("getComputedStyle(document.querySelector('#loading span')).animationName") == "none"
    page.page("Emulation.setEmulatedMedia", features=[])
    assert page.evaluate("getComputedStyle(document.querySelector('#loading span')).animationName") == "warm"


def test_in_forced_colours_a_pressed_button_differs_also_in_focus(page):
    """Else nobody who presses it by the keyboard sees what it did."""
    close_source(page)
    page.evaluate("document.getElementById('sample').click()")
    wait_for_frames(page, 1)
    page.page("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
    page.evaluate("document.getElementById('pause').focus()")
    page.key("Tab")
    assert focused(page) == "heat"
    looks = "['heat', 'mirror'].map((id) => getComputedStyle(document.getElementById(id)).backgroundColor)"
    pressed, other = page.evaluate(looks)
    page.page("Emulation.setEmulatedMedia", features=[])
    assert pressed != other


@pytest.mark.parametrize("size", [(390, 844), (1024, 768), (1440, 900)])
def test_buttons_stay_where_they_are_when_a_picture_comes(page, size):
    """What a person is about to press does not move away, as the notice goes from below the picture into it."""
    page.resize(*size)
    close_source(page)
    places = "[...document.querySelectorAll('nav button')].map((b) => b.getBoundingClientRect().top)"
    before = page.evaluate(places)
    page.evaluate("document.getElementById('sample').click()")
    wait_for_frames(page, 1)
    assert page.evaluate("document.body.classList.contains('noticed')")
    assert page.evaluate(places) == before
    page.resize(1280, 800)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_fits(page, width, height):
    """No sideways scrolling, the picture is large, buttons are large enough for a finger and reachable."""
    page.resize(width, height, phone=width < 900)
    if page.evaluate("document.body.dataset.state") != "running":
        page.evaluate("document.getElementById('sample').click()")
        wait_for_frames(page, 1)
    page.wait_for(  # for the observer of the stage's size
        "(() => { const [s, f] = ['stage', 'frame'].map((id) => document.getElementById(id).getBoundingClientRect());"
        " return Math.abs(Math.min(s.width - f.width, s.height - f.height)) < 2 })()"
    )
    box = page.evaluate(
        "(() => { const r = document.getElementById('frame').getBoundingClientRect();"
        " return [r.left, r.top, r.right, r.bottom, document.documentElement.scrollWidth, innerWidth] })()"
    )
    left, top, right, bottom, scroll, inner = box
    assert scroll <= inner == width
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height  # without scrolling
    assert (right - left) * (bottom - top) > 0.2 * width * height
    smallest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('nav button')].map((b) => b.getBoundingClientRect().height))"
    )
    assert smallest >= 40
    hidden = page.evaluate(
        "[...document.querySelectorAll('nav button, nav select')].filter((b) => { b.scrollIntoView();"
        " const r = b.getBoundingClientRect(); const m = document.elementFromPoint(r.left + r.width / 2, r.top + 8);"
        " return b.offsetParent && m !== b && !b.contains(m) }).map((b) => b.id)"
    )
    assert not hidden
    page.resize(1280, 800)


def is_taken(page, key: str, *, code: str = "", repeat: bool = False) -> bool:
    """Does the page take a press of `key`, at the place `code`, so that the browser does nothing with it?"""
    options = f"{{key: '{key}', code: '{code}', repeat: {str(repeat).lower()}, bubbles: true, cancelable: true}}"
    return not page.evaluate(f"document.body.dispatchEvent(new KeyboardEvent('keydown', {options}))")


def test_keys_that_mean_nothing_are_the_browsers_also_while_they_are_held(page):
    close_source(page)
    assert not any(is_taken(page, key, repeat=held) for key in ("ArrowDown", "Tab", "j") for held in (False, True))
    assert not is_taken(page, " ")  # nothing can be paused: it scrolls
    page.evaluate("document.getElementById('sample').click()")
    wait_for_frames(page, 1)
    assert is_taken(page, " ", repeat=True)  # held, it neither scrolls nor pauses again and again
    assert page.evaluate("document.getElementById('pause').ariaPressed") == "false"


def test_letters_of_other_alphabets_count_by_their_place(page):
    """A Cyrillic keyboard has only such letters; a German one has the signs of an English one elsewhere."""
    close_source(page)
    page.evaluate("document.getElementById('sample').click()")
    wait_for_frames(page, 1)
    mirrored = "document.getElementById('mirror').ariaPressed"
    before = page.evaluate(mirrored)
    assert is_taken(page, "ь", code="KeyM")
    assert page.evaluate(mirrored) != before
    assert is_taken(page, "Щ", code="KeyM")  # with Shift
    assert page.evaluate(mirrored) == before
    assert is_taken(page, "m", code="Semicolon")  # as French keyboards have it
    assert page.evaluate(mirrored) != before
    assert not is_taken(page, "ю", code="KeyJ")
    assert not is_taken(page, "ö", code="Semicolon")
    assert is_taken(page, "m", code="KeyM")
    assert page.evaluate(mirrored) == before


def test_letters_can_be_switched_off_as_keys(page):
    close_source(page)
    page.evaluate("document.getElementById('sample').click()")
    wait_for_frames(page, 1)
    box = "document.querySelector('#keys input')"
    page.evaluate(f"{box}.click()")
    try:
        assert not any(is_taken(page, key) for key in ("q", "m", "?"))
        assert is_taken(page, " ")
    finally:
        page.evaluate(f"{box}.click()")
    assert is_taken(page, "b")
    assert is_taken(page, "b")
