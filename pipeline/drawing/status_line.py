"""What the picture says of itself: the status line, the notice, a message, the list of keys.

In:  a `Status`, sentences, (key, meaning) pairs, the frame they have to fit in.
Out: `TextBox`es with their rectangles, known before faces look for room, and functions that paint them into a picture
     (H, W, 3) uint8 RGB. What would fill the frame is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pipeline.drawing.primitives import Rect, paint_colour_scale, paint_panel, paint_pause_bars, paint_record_dot
from pipeline.drawing.text import BOLD, DIM, SMALLEST, WHITE, Colour, padding, put_text, text_width, truncate, wrap

NOTICE = "Expressions are not feelings: this says how a face reads, not what a person feels."
LARGEST_SHARE = 0.3  # of the frame's height, for the status line and for the notice
LINE = 1.35  # height of a line of text, font sizes


class Icon(NamedTuple):
    """A small mark before a text: how it is painted, and its width in font sizes."""

    paint: Callable[[np.ndarray, Rect], None]
    width: float


HEATMAP, PAUSE, RECORD = Icon(paint_colour_scale, 1.8), Icon(paint_pause_bars, 0.55), Icon(paint_record_dot, 0.65)


@dataclass(frozen=True)
class Status:
    """What the status line tells; what is empty is left out.

    fps: frames a second. device: as a person calls it.
    explainer, explain_class: how heatmaps are made, and the one class they are for where that is fixed.
    message: a sentence for the moment ("saved snapshot.png"), which gets a box of its own.
    """

    fps: float = 0.0
    device: str = ""
    explainer: str | None = None
    explain_class: str | None = None
    paused: bool = False
    recording: bool = False
    message: str = ""


@dataclass(frozen=True)
class TextBox:
    """Lines of text in font size `size` on a panel at `rect`, behind an icon where there is one."""

    rect: Rect
    lines: tuple[str, ...]
    size: int
    icon: Icon | None = None
    colour: Colour = WHITE


def margin(size: int) -> int:
    """The distance of text boxes from the frame's edge, in pixels."""
    return round(0.7 * size)


def status_items(
    status: Status, *, faces: int, limits: Mapping[str, str] | None = None
) -> list[tuple[str, Icon | None]]:
    """The texts of the status line in reading order, each with its icon.

    faces: how many the frame shows. limits: as `FrameResult.limits`; that of --max-faces says how many, too.
    """
    rate, limits = f"{status.fps:.{0 if status.fps >= 10 else 1}f} fps" if status.fps else "", limits or {}
    count = limits.get("--max-faces", f"{faces or 'no'} face{'s' if faces > 1 else ''}")
    items: list[tuple[str, Icon | None]] = [(" · ".join(filter(None, (rate, status.device, count))), None)]
    items += [(text, None) for flag, text in limits.items() if flag != "--max-faces"]
    if status.explainer:
        which = f" for {status.explain_class}" if status.explain_class else ""
        items.append((f"heat: {status.explainer}{which}", HEATMAP))
    if status.paused:
        items.append(("paused", PAUSE))
    return [("recording", RECORD), *items] if status.recording else items  # first: it has room in small pictures, too


def place_texts(
    status: Status | None, *, faces: int, frame: Rect, size: int, limits: Mapping[str, str] | None = None
) -> tuple[list[TextBox], Rect, list[TextBox]]:
    """Status line and notice; the part of the frame between them, where labels and bars may stand; a message in it.

    The notice stands in the lower left corner, a little smaller than other text; the message above it, larger, centred.
    """
    edge, apart = margin(size), margin(size) // 2
    items = status_items(status, faces=faces, limits=limits) if status else []
    upper = place_status(items, frame=frame, size=size)
    box = _wrapped(NOTICE, widest=frame.width - 2 * edge, size=max(SMALLEST, round(0.86 * size)), colour=DIM)
    box = _moved(box, edge, frame.bottom - edge - box.rect.height)
    lower = [box] if " ".join(box.lines) == NOTICE and _fits(box, frame) else []
    top = max((box.rect.bottom for box in upper), default=-apart) + apart
    bottom = min((box.rect.top for box in lower), default=frame.bottom + apart) - apart
    sentence = status.message if status else ""
    box = _wrapped(sentence, widest=frame.width - 2 * edge, size=round(1.15 * size), colour=WHITE)
    box = _moved(box, (frame.width - box.rect.width) // 2, bottom - edge - box.rect.height)
    message = [box] if sentence and box.rect.inside(frame) else []
    return [*upper, *lower], Rect(apart, top, frame.right - apart, bottom), message


def place_status(items: Sequence[tuple[str, Icon | None]], *, frame: Rect, size: int) -> list[TextBox]:
    """Boxes from the upper left corner on, in as many rows as they need."""
    bounds = frame.padded(-margin(size))
    apart = margin(size) // 2
    left, top = bounds.left, bounds.top
    boxes: list[TextBox] = []
    for text, icon in items:
        box = _text_box([text], icon=icon, widest=bounds.width, size=size)
        if boxes and left + box.rect.width > bounds.right:
            left, top = bounds.left, boxes[-1].rect.bottom + apart
        boxes.append(_moved(box, left, top))
        left = boxes[-1].rect.right + apart
    return [box for box in boxes if _fits(box, frame)]


def _wrapped(text: str, *, widest: int, size: int, colour: Colour) -> TextBox:
    return _text_box(wrap(text, widest - 2 * padding(size), size=size), widest=widest, size=size, colour=colour)


def _text_box(
    lines: Sequence[str], *, widest: int, size: int, icon: Icon | None = None, colour: Colour = WHITE
) -> TextBox:
    """A box as large as its text, at (0, 0)."""
    around = 2 * padding(size) + _icon_width(icon, size)
    lines = [truncate(line, widest - around, size=size) for line in lines]
    width = around + max((text_width(line, size) for line in lines), default=0)
    height = round(LINE * size) * len(lines) + 2 * (padding(size) // 2)
    return TextBox(Rect(0, 0, width, height), tuple(lines), size, icon, colour)


def _moved(box: TextBox, left: int, top: int) -> TextBox:
    return replace(box, rect=Rect.at(left, top, size_wh=(box.rect.width, box.rect.height)))


def _fits(box: TextBox, frame: Rect) -> bool:
    share = LARGEST_SHARE * frame.height
    return box.rect.inside(frame) and (box.rect.bottom <= share or box.rect.top >= frame.height - share)


def paint_text_box(canvas: np.ndarray, box: TextBox) -> None:
    """A panel with its icon and its lines."""
    rect, size = box.rect, box.size
    paint_panel(canvas, rect, radius=size // 3)
    left = rect.left + padding(size)
    if box.icon:
        icon_wh = (round(box.icon.width * size), round(0.62 * size))
        box.icon.paint(canvas, Rect.at(left, (rect.top + rect.bottom - icon_wh[1]) / 2, size_wh=icon_wh))
    for i, line in enumerate(box.lines):
        top = rect.top + padding(size) // 2 + i * round(LINE * size)
        rows = (top, top + round(LINE * size))
        put_text(canvas, line, left=left + _icon_width(box.icon, size), rows=rows, size=size, colour=box.colour)


def paint_keys(canvas: np.ndarray, keys: Sequence[tuple[str, str]], *, size: int) -> None:
    """(key, meaning) pairs in two columns on a panel in the middle, in font size `size` or as small as they need."""
    frame = Rect(0, 0, canvas.shape[1], canvas.shape[0])
    if not keys_fit(keys, canvas.shape):
        return
    size = next((size for size in range(size, SMALLEST, -1) if _keys_rect(keys, frame, size).inside(frame)), SMALLEST)
    rect = _keys_rect(keys, frame, size)
    for _ in range(2):  # twice as dark: what lies under the list must not be read through it
        paint_panel(canvas, rect, radius=size // 2)
    left = rect.left + 3 * padding(size)
    meaning_left = left + _key_width(keys, size) + size
    for i, (key, meaning) in enumerate(keys):
        top = rect.top + 2 * padding(size) + i * round(1.6 * size)
        rows = (top, top + round(1.6 * size))
        put_text(canvas, key, left=left, rows=rows, size=size, weight=BOLD)
        put_text(canvas, meaning, left=meaning_left, rows=rows, size=size, colour=DIM)


def keys_fit(keys: Sequence[tuple[str, str]], shape: Sequence[int]) -> bool:
    """Is there room for the list of keys in a picture of this shape, (H, W, ...)?"""
    frame = Rect(0, 0, shape[1], shape[0])
    return _keys_rect(keys, frame, SMALLEST).inside(frame)


def _keys_rect(keys: Sequence[tuple[str, str]], frame: Rect, size: int) -> Rect:
    meanings = max(text_width(meaning, size) for _, meaning in keys)
    width = 6 * padding(size) + _key_width(keys, size) + size + meanings
    height = 4 * padding(size) + round(1.6 * size) * len(keys)
    return Rect.at((frame.width - width) / 2, (frame.height - height) / 2, size_wh=(width, height))


def _key_width(keys: Sequence[tuple[str, str]], size: int) -> int:
    return max(text_width(key, size, BOLD) for key, _ in keys)


def _icon_width(icon: Icon | None, size: int) -> int:
    """Of the icon and the gap behind it."""
    return round((icon.width + 0.45) * size) if icon else 0
