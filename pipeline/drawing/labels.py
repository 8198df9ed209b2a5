"""What stands beside a face: its label, and the bars of all its classes.

In:  a `FaceResult`, a font size, the position that `pipeline/drawing/layout.py` chose.
Out: how large they are, and functions that paint them into a picture (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from pipeline.drawing.primitives import OverlayPatch, Rect, overlay_patch, paint_colour_scale, paint_panel
from pipeline.drawing.text import BOLD, DIM, REGULAR, WHITE, Colour, padding, put_text, text_width, truncate
from pipeline.run import FaceResult

Piece = tuple[str, Colour, int]  # words, their colour, their weight

# The hues of Okabe & Ito (2008), made lighter to stand out on panels and then moved a little until every two are at
# least 11 apart (CIEDE2000) for trichromats, protanopes, deuteranopes and tritanopes (Machado et al. 2009).
PALETTE: dict[str, Colour] = {
    "neutral": (236, 240, 234),
    "happiness": (252, 238, 86),
    "surprise": (250, 156, 20),
    "sadness": (84, 144, 250),
    "anger": (248, 82, 82),
    "disgust": (38, 208, 152),
    "fear": (184, 130, 176),
    "contempt": (170, 208, 244),
}
OTHER_CLASS: Colour = (150, 150, 150)  # bars of the classes that are not the most probable one
TRACK: Colour = (64, 64, 64)  # the full length of a bar; every bar has a contrast of 3 or more to it (WCAG 1.4.11)

LONGEST_NAME = 9  # font sizes; longer names of classes are truncated
BAR_LENGTH = 4.5  # font sizes
ROW = 1.35  # height of one class, font sizes


def colour_of(name: str, index: int) -> Colour:
    """The colour of a class: that of its expression, or one by its `index` where the name is no known expression."""
    return PALETTE.get(name) or tuple(PALETTE.values())[index % len(PALETTE)]


@dataclass(frozen=True, eq=False)
class Label:
    """The words "looks like happiness 82 %" or a part of them, on a panel at `rect`, in font size `size`.

    position: where `rect` is beside the face ("above"); `place_labels` takes it for the next frame.
    """

    rect: Rect
    position: str
    pieces: tuple[Piece, ...]
    colour: Colour
    size: int


@dataclass(frozen=True, eq=False)
class Bars:
    """The probabilities of a face as one row a class, on a panel at `rect`; the class explained is marked.

    position: where `rect` is beside the face ("right, top"); `place_bars` takes it for the next frame.
    """

    rect: Rect
    position: str
    face: FaceResult
    names: tuple[str, ...]
    colour: Colour
    size: int


def label_texts(face: FaceResult, size: int) -> list[tuple[Piece, ...]]:
    """What a label may say in font size `size`, best first."""
    name = (truncate(face.label, LONGEST_NAME * size, size=size, weight=BOLD), WHITE, BOLD)
    percent = (f"{100 * face.confidence:.0f} %", WHITE, REGULAR)
    return [(("looks like", DIM, REGULAR), name, percent), (name, percent), (name,)]


def label_wh(pieces: tuple[Piece, ...], size: int) -> tuple[int, int]:
    """Width and height of a label in pixels."""
    words = sum(text_width(text, size, weight) for text, _, weight in pieces)
    return words + gap(size) * (len(pieces) - 1) + 2 * padding(size) + _stripe(size), round(1.6 * size)


def paint_label(canvas: np.ndarray, label: Label) -> None:
    """A panel with a stripe in the colour of the class, and the words."""
    size, rect = label.size, label.rect
    paint_panel(canvas, rect, radius=size // 4)
    inset = size // 4
    stripe = Rect(rect.left + inset, rect.top + inset, rect.left + inset + _stripe(size), rect.bottom - inset)
    stripe.view(canvas)[:] = label.colour
    x = stripe.right + padding(size) - inset
    for text, colour, weight in label.pieces:
        put_text(canvas, text, left=x, rows=(rect.top, rect.bottom), size=size, weight=weight, colour=colour)
        x += text_width(text, size, weight) + gap(size)


def bars_wh(names: tuple[str, ...], size: int) -> tuple[int, int]:
    """Width and height of the bars of these classes in pixels."""
    width = _name_width(names, size) + round(BAR_LENGTH * size) + 3 * padding(size)
    return width, round(ROW * size) * len(names) + padding(size)


def _name_width(names: tuple[str, ...], size: int) -> int:
    return min(LONGEST_NAME * size, max(text_width(name, size, BOLD) for name in names))


def paint_bars(canvas: np.ndarray, bars: Bars) -> None:
    """A panel with a row a class: name and bar, the most probable one in its colour; the explained one is marked."""
    size, rect, probabilities = bars.size, bars.rect, bars.face.probabilities
    top = int(probabilities.argmax())
    _empty_bars(bars.names, bars.names[top], bars.face.explained, size).paint_on(rect.view(canvas))
    for i, (bar, probability) in enumerate(zip(_bar_rects(bars.names, size), probabilities.tolist(), strict=True)):
        left, length = rect.left + bar.left, round(bar.width * probability)
        colour = bars.colour if i == top else OTHER_CLASS
        canvas[rect.top + bar.top : rect.top + bar.bottom, left : left + length] = colour


@functools.lru_cache(maxsize=32)
def _empty_bars(names: tuple[str, ...], top: str, explained: str | None, size: int) -> OverlayPatch:
    """All of a panel but how far its bars are filled."""
    size_wh = bars_wh(names, size)
    widest, row = _name_width(names, size), round(ROW * size)

    def paint(canvas: np.ndarray) -> None:
        paint_panel(canvas, Rect.at(0, 0, size_wh=size_wh), radius=size // 3)
        for i, (name, bar) in enumerate(zip(names, _bar_rects(names, size), strict=True)):
            y = padding(size) // 2 + i * row
            weight, colour = (BOLD, WHITE) if name == top else (REGULAR, DIM)
            words = truncate(name, widest, size=size, weight=weight)
            put_text(canvas, words, left=padding(size), rows=(y, y + row), size=size, weight=weight, colour=colour)
            bar.view(canvas)[:] = TRACK
            if name == explained:
                paint_colour_scale(canvas, Rect.at(0, y, size_wh=(max(3, round(0.32 * size)), row)))

    return overlay_patch(size_wh, paint)


@functools.lru_cache(maxsize=32)
def _bar_rects(names: tuple[str, ...], size: int) -> tuple[Rect, ...]:
    """Where the full bar of each class lies on its panel."""
    row, length, thickness = round(ROW * size), round(BAR_LENGTH * size), max(3, round(0.45 * size))
    left, top = bars_wh(names, size)[0] - padding(size) - length, padding(size) // 2 + (row - thickness) / 2
    return tuple(Rect.at(left, top + i * row, size_wh=(length, thickness)) for i in range(len(names)))


def gap(size: int) -> int:
    """Between things that belong together, in pixels."""
    return max(2, round(0.32 * size))


def _stripe(size: int) -> int:
    return max(2, round(0.2 * size))
