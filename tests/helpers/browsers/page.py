"""Questions to the browser page, through Chromium."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from helpers.browsers.chromium import Chromium
from helpers.patience import PATIENCE_S

from data.sources.sample import sample_frame
from web.serve import Site

MESSAGE = "document.getElementById('message').textContent"
RUNNING = "document.body.dataset.state === 'running'"


def open_page(browser: Chromium, site: Site) -> None:
    """Load the page and wait for its networks."""
    browser.open(site.address)
    browser.wait_for("document.body.dataset.ready === 'yes'")


def state(page: Chromium) -> dict:
    """What the page tells of itself on its picture: source, frames since the page was loaded, faces, search size."""
    return page.evaluate("({ ...document.getElementById('stage').dataset })") | {
        "frames": int(page.evaluate("document.getElementById('stage').dataset.frames ?? 0"))
    }


def wait_for_frames(page: Chromium, count: int) -> None:
    """Until so many frames of the open source were shown."""
    page.wait_for(f"{RUNNING} && Number(document.getElementById('stage').dataset.frames) >= {count}")


def spoken(page: Chromium) -> str:
    """The last sentence for a screen reader."""
    return page.evaluate("document.getElementById('spoken').textContent")


def close_source(page: Chromium) -> None:
    """Back to the empty page, with no dialog open, nothing in focus, and heatmaps for each face's label."""
    page.evaluate(
        "document.getElementById('keys').close(); document.activeElement.blur();"
        "document.getElementById('explain').value = '';"
        "document.getElementById('explain').dispatchEvent(new Event('change'))"
    )
    page.evaluate("document.getElementById('close').disabled || document.getElementById('close').click()")
    page.wait_for("['empty', 'trouble'].includes(document.body.dataset.state)")
    page.evaluate("document.getElementById('spoken').textContent = ''")


@contextmanager
def messages_held(page: Chromium) -> Iterator[None]:
    """The page's messages stand as long as this lasts; then the time of the last one is over."""
    page.evaluate(
        "globalThis.timer = setTimeout; globalThis.messageOver = () => 0;"
        "globalThis.setTimeout = (task, ms) => {"
        " if (ms < 1000) return timer(task, ms); globalThis.messageOver = task }; true"
    )
    yield
    page.evaluate("globalThis.setTimeout = timer; messageOver(); true")


def pixels(page: Chromium, canvas: str) -> np.ndarray:
    """(H, W, 4) uint8 RGBA of the canvas with that id."""
    png = base64.b64decode(page.evaluate(f"document.getElementById({canvas!r}).toDataURL()").partition(",")[2])
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)


def downloaded(page: Chromium, folder: Path, suffix: str) -> Path:
    """The file that the page has just saved there."""
    page.wait_for(f"{MESSAGE}.startsWith('saved ') && {MESSAGE}.endsWith({suffix!r})")
    name = page.evaluate(MESSAGE).removeprefix("saved ")
    until(page, (folder / name).exists)
    return folder / name


def until(page: Chromium, true: Callable[[], bool]) -> None:
    """Wait while the page goes on."""
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s
        page.evaluate("new Promise((resolve) => setTimeout(resolve, 50))")


def write_sample(path: Path, *, frames: int) -> Path:
    """The first `frames` of the sample, ten a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), 10, (640, 480))
    for i in range(frames):
        writer.write(sample_frame(i)[..., ::-1])
    writer.release()
    return path
