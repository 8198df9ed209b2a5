"""What the picture says of itself: the status line, the notice, a message, the list of keys.

In:  a `Status`, sentences, (key, meaning) pairs, the frame they have to fit in.
Out: `Plate`s with their rectangles, known before faces look for room, and `paint_lines`, `paint_keys` that paint them
     into a picture (H, W, 3) uint8 RGB. What would fill the frame stays away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pipeline.drawing.primitives import Rect, paint_heat_scale, paint_pause_bars, paint_plate, paint_record_dot, place
from pipeline.drawing.text import BOLD, DIM, SMALLEST, WHITE, baseline, cut, put_text, text_width, wrap

NOTICE = "Expressions are not feelings: this says how a face reads, not what a person feels."
LARGEST_SHARE = 0.3  # of the frame's height, for the status line and for the notice
LINE = 1.35  # height of a line of text, font sizes


class Icon(NamedTuple):
    """A small mark before a text: how it is painted, and its width in font sizes."""

    paint: Callable[[np.ndarray, Rect], None]
    width: float


HEAT, PAUSE, RECORD = Icon(paint_heat_scale, 1.8), Icon(paint_pause_bars, 0.55), Icon(paint_record_dot, 0.65)


@dataclass(frozen=True)
class Status:
    """What the status line tells; what is empty is left out.

    fps: frames a second. device: as a person calls it.
    explainer, explain_class: how heat is made, and the one class it is for where that is fixed.
    message: a sentence for the moment ("saved snapshot.png"), which gets a plate of its own.
    """

    fps: float = 0.0
    device: str = ""
    explainer: str | None = None
    explain_class: str | None = None
    paused: bool = False
    recording: bool = False
    message: str = ""


@dataclass(frozen=True)
class Plate:
    """Lines of text in font size `size` on a plate at `rect`, behind an icon where there is one."""

    rect: Rect
    lines: tuple[str, ...]
    size: int
    icon: Icon | None = None
    colour: tuple[int, int, int] = WHITE


def margin(size: int) -> int:
    """The distance of plates from the frame's edge, in pixels."""
    return round(0.7 * size)


def status_items(status: Status, *, faces: int, heat: bool) -> list[tuple[str, Icon | None]]:
    """The texts of the status line in reading order, each with its icon; `heat`: is any shown?"""
    rate = f"{status.fps:.{0 if status.fps >= 10 else 1}f} fps" if status.fps else ""
    counted = f"{faces or 'no'} face{'s' if faces > 1 else ''}"
    items: list[tuple[str, Icon | None]] = [(" · ".join(filter(None, (rate, status.device, counted))), None)]
    if heat and status.explainer:
        which = f"why {status.explain_class} ({status.explainer})" if status.explain_class else status.explainer
        items.append((f"heat: {which}", HEAT))
    if status.paused:
        items.append(("paused", PAUSE))
    if status.recording:
        items.append(("recording", RECORD))
    return items


def place_status(items: Sequence[tuple[str, Icon | None]], *, frame: Rect, size: int) -> list[Plate]:
    """Plates from the upper left corner on, in as many rows as they need."""
    bounds = frame.grown(-margin(size))
    apart = margin(size) // 2
    left, top = bounds.left, bounds.top
    plates: list[Plate] = []
    for text, icon in items:
        plate = _plate([text], icon=icon, widest=bounds.width, size=size)
        if plates and left + plate.rect.width > bounds.right:
            left, top = bounds.left, plates[-1].rect.bottom + apart
        plates.append(_at(plate, left, top))
        left = plates[-1].rect.right + apart
    return [plate for plate in plates if _fits(plate, frame)]


def place_notice(text: str, *, frame: Rect, size: int) -> list[Plate]:
    """The notice in the lower left corner, a little smaller than other text: one plate, or none."""
    apart = margin(size)
    plate = _wrapped(text, widest=frame.width - 2 * apart, size=max(SMALLEST, round(0.86 * size)), colour=DIM)
    plate = _at(plate, apart, frame.bottom - apart - plate.rect.height)
    return [plate] if _fits(plate, frame) else []


def place_message(text: str, *, frame: Rect, above: int, size: int) -> list[Plate]:
    """A sentence in larger text, centred, ending a margin above the row `above`: one plate, or none if it is empty."""
    plate = _wrapped(text, widest=frame.width - 2 * margin(size), size=round(1.15 * size), colour=WHITE)
    left, top = (frame.width - plate.rect.width) // 2, above - margin(size) - plate.rect.height
    plate = _at(plate, left, top)
    return [plate] if text and plate.rect.inside(frame) else []


def _wrapped(text: str, *, widest: int, size: int, colour: tuple[int, int, int]) -> Plate:
    lines = wrap(text, widest - 2 * _padding(size), size=size)
    return replace(_plate(lines, icon=None, widest=widest, size=size), colour=colour)


def _plate(lines: Sequence[str], *, icon: Icon | None, widest: int, size: int) -> Plate:
    """A plate as large as its text, at (0, 0)."""
    around = 2 * _padding(size) + _icon_width(icon, size)
    lines = [cut(line, widest - around, size=size) for line in lines]
    width = around + max((text_width(line, size) for line in lines), default=0)
    height = round(LINE * size) * len(lines) + 2 * (_padding(size) // 2)
    return Plate(Rect(0, 0, width, height), tuple(lines), size, icon)


def _at(plate: Plate, left: int, top: int) -> Plate:
    return replace(plate, rect=place(left, top, size_wh=(plate.rect.width, plate.rect.height)))


def _fits(plate: Plate, frame: Rect) -> bool:
    share = LARGEST_SHARE * frame.height
    return plate.rect.inside(frame) and (plate.rect.bottom <= share or plate.rect.top >= frame.height - share)


def paint_lines(canvas: np.ndarray, plate: Plate) -> None:
    """A plate with its icon and its lines."""
    rect, size = plate.rect, plate.size
    paint_plate(canvas, rect, radius=size // 3)
    left = rect.left + _padding(size)
    if plate.icon:
        icon_wh = (round(plate.icon.width * size), round(0.62 * size))
        plate.icon.paint(canvas, place(left, (rect.top + rect.bottom - icon_wh[1]) / 2, size_wh=icon_wh))
    for i, line in enumerate(plate.lines):
        top = rect.top + _padding(size) // 2 + i * round(LINE * size)
        xy = (left + _icon_width(plate.icon, size), baseline(top, top + round(LINE * size), size=size))
        put_text(canvas, line, xy=xy, size=size, colour=plate.colour)


def paint_keys(canvas: np.ndarray, keys: Sequence[tuple[str, str]], *, size: int) -> None:
    """(key, meaning) pairs in two columns on a plate in the middle, in letters as small as the frame asks for."""
    frame = Rect(0, 0, canvas.shape[1], canvas.shape[0])
    size = next((size for size in range(size, SMALLEST, -1) if _keys_rect(keys, frame, size).inside(frame)), SMALLEST)
    rect = _keys_rect(keys, frame, size)
    if not rect.inside(frame):
        return
    for _ in range(2):  # twice as dark: what lies under the list must not be read through it
        paint_plate(canvas, rect, radius=size // 2)
    meaning_left = rect.left + 3 * _padding(size) + _key_width(keys, size) + size
    for i, (key, meaning) in enumerate(keys):
        top = rect.top + 2 * _padding(size) + i * round(1.6 * size)
        y = baseline(top, top + round(1.6 * size), size=size)
        put_text(canvas, key, xy=(rect.left + 3 * _padding(size), y), size=size, weight=BOLD)
        put_text(canvas, meaning, xy=(meaning_left, y), size=size, colour=DIM)


def _keys_rect(keys: Sequence[tuple[str, str]], frame: Rect, size: int) -> Rect:
    meanings = max(text_width(meaning, size) for _, meaning in keys)
    width = 6 * _padding(size) + _key_width(keys, size) + size + meanings
    height = 4 * _padding(size) + round(1.6 * size) * len(keys)
    return place((frame.width - width) / 2, (frame.height - height) / 2, size_wh=(width, height))


def _key_width(keys: Sequence[tuple[str, str]], size: int) -> int:
    return max(text_width(key, size, BOLD) for key, _ in keys)


def _icon_width(icon: Icon | None, size: int) -> int:
    """Of the icon and the gap behind it."""
    return round((icon.width + 0.45) * size) if icon else 0


def _padding(size: int) -> int:
    return round(0.6 * size)
