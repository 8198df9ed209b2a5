"""What stands beside a face: its label, and the bars of all its classes, each where there is room for it.

In:  the faces of a frame, the names of their classes, the part of the frame that is free for them.
Out: `Label` and `Bars` with their rectangles, and functions that paint them into a picture (H, W, 3) uint8 RGB.

Larger faces choose first. A label tries its long text above and below the box, then shorter ones, then inside the box;
bars try the right side, then the left. What finds no room stays away: nothing covers another face, label or panel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.plates import Rect, between, paint_heat_scale, paint_plate, place
from pipeline.run import FaceResult
from pipeline.text import BOLD, DIM, REGULAR, SMALLEST, WHITE, baseline, cut, put_text, text_width

Colour = tuple[int, int, int]
Piece = tuple[str, Colour, int]  # words, their colour, their weight

# The hues of Okabe & Ito (2008), made lighter to stand out on plates and then moved a little until every two are at
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
QUIET: Colour = (150, 150, 150)  # bars of the other classes
TRACK: Colour = (84, 84, 84)  # the full length of a bar

CROWD = 6  # with more faces than this, labels leave "looks like" out
LONGEST_NAME = 9  # font sizes; longer names of classes are cut
BAR_LENGTH = 4.5  # font sizes
ROW = 1.35  # height of one class, font sizes
SMALLEST_FACE = 4.0  # font sizes; lower boxes get no bars
OWN_SHARE = 0.2  # bars may cover so much of their own face where the frame ends beside it


def colour_of(name: str, index: int) -> Colour:
    """The colour of a class: that of its expression, or one by its `index` where the name is no known expression."""
    return PALETTE.get(name) or tuple(PALETTE.values())[index % len(PALETTE)]


@dataclass(frozen=True, eq=False)
class Label:
    """The words "looks like happiness 82 %" or a part of them, on a plate at `rect`, in font size `size`."""

    rect: Rect
    pieces: tuple[Piece, ...]
    colour: Colour
    size: int


@dataclass(frozen=True, eq=False)
class Bars:
    """The probabilities of a face as one row a class, on a plate at `rect`; `explained` marks the row of the heat."""

    rect: Rect
    names: tuple[str, ...]
    probabilities: np.ndarray
    colour: Colour
    explained: str | None
    size: int


def visible_box(face: FaceResult, frame: Rect) -> Rect:
    """The part of a face's box inside the frame; at least one pixel at the edge next to it."""
    left, top, right, bottom = (round(float(v)) for v in face.box_xyxy)
    left, top = between(left, 0, frame.right - 1), between(top, 0, frame.bottom - 1)
    return Rect(left, top, between(right, left + 1, frame.right), between(bottom, top + 1, frame.bottom))


def first_free(candidates: Iterable[Rect], *, bounds: Rect, taken: Sequence[Rect]) -> Rect | None:
    """The first candidate inside `bounds` that touches none of `taken`."""
    for rect in candidates:
        if rect.inside(bounds) and not any(rect.touches(other) for other in taken):
            return rect
    return None


def place_labels(
    faces: Sequence[FaceResult],
    *,
    boxes: Sequence[Rect],
    colours: Sequence[Colour],
    bounds: Rect,
    taken: Sequence[Rect],
    size: int,
) -> list[Label | None]:
    """A label for each face, or None where there is no room for one inside `bounds` beside what is `taken`.

    boxes, colours: those of the faces, in their order. size: the font's, in pixels.
    """
    labels: list[Label | None] = [None] * len(faces)
    for i in _largest_first(faces):
        full = [*taken, *boxes[:i], *boxes[i + 1 :], *(label.rect for label in labels if label)]
        for pieces in _texts(faces[i], size)[len(faces) > CROWD :]:
            candidates = _label_places(boxes[i], _label_wh(pieces, size), bounds, size)
            rect = first_free(candidates, bounds=bounds, taken=full)
            if rect:
                labels[i] = Label(rect, pieces, colours[i], size)
                break
    return labels


def _largest_first(faces: Sequence[FaceResult]) -> list[int]:
    return sorted(range(len(faces)), key=lambda i: -faces[i].face.size)


def _texts(face: FaceResult, size: int) -> list[tuple[Piece, ...]]:
    """What a label may say, best first."""
    name = (cut(face.label, LONGEST_NAME * size, size=size, weight=BOLD), WHITE, BOLD)
    percent = (f"{100 * face.confidence:.0f} %", WHITE, REGULAR)
    return [(("looks like", DIM, REGULAR), name, percent), (name, percent), (name,)]


def _label_wh(pieces: tuple[Piece, ...], size: int) -> tuple[int, int]:
    words = sum(text_width(text, size, weight) for text, _, weight in pieces)
    return words + _gap(size) * (len(pieces) - 1) + 2 * _padding(size) + _stripe(size), round(1.6 * size)


def _label_places(box: Rect, size_wh: tuple[int, int], bounds: Rect, size: int) -> list[Rect]:
    """Above, below, and, if it is not wider than the box, in its upper corner."""
    left = between(box.left, bounds.left, bounds.right - size_wh[0])
    apart = _gap(size)
    above = place(left, box.top - apart - size_wh[1], size_wh=size_wh)
    below = place(left, box.bottom + apart, size_wh=size_wh)
    corner = (between(box.left + apart, bounds.left, box.right), between(box.top + apart, bounds.top, box.bottom))
    within = place(*corner, size_wh=size_wh)
    return [above, below, within] if within.inside(box) else [above, below]


def paint_label(canvas: np.ndarray, label: Label) -> None:
    """A plate with a stripe in the colour of the class, and the words."""
    size, rect = label.size, label.rect
    paint_plate(canvas, rect, radius=size // 4)
    inset = size // 4
    stripe = Rect(rect.left + inset, rect.top + inset, rect.left + inset + _stripe(size), rect.bottom - inset)
    stripe.of(canvas)[:] = label.colour
    x = stripe.right + _padding(size) - inset
    for text, colour, weight in label.pieces:
        xy = (x, baseline(rect.top, rect.bottom, size=size))
        put_text(canvas, text, xy=xy, size=size, weight=weight, colour=colour)
        x += text_width(text, size, weight) + _gap(size)


def place_bars(
    faces: Sequence[FaceResult],
    *,
    class_names: tuple[str, ...],
    boxes: Sequence[Rect],
    colours: Sequence[Colour],
    labels: Sequence[Label | None],
    bounds: Rect,
    taken: Sequence[Rect],
    size: int,
    heat: bool,
) -> list[Bars]:
    """Bars for each face that is large enough and has room beside it; as in `place_labels`.

    labels: those of the faces, in their order. heat: mark the class that the heat is for.
    """
    taken = [*taken, *(label.rect for label in labels if label)]
    panels: list[Bars] = []
    for i in _largest_first(faces):
        box = boxes[i]
        if box.height < SMALLEST_FACE * size:
            continue
        own_size = round(between(box.height / (ROW * len(class_names) + 1), max(SMALLEST, 0.7 * size), 0.9 * size))
        size_wh = _bars_wh(class_names, own_size)
        full = [*taken, *boxes[:i], *boxes[i + 1 :], *(panel.rect for panel in panels)]
        candidates = _bar_places(box, labels[i], size_wh, bounds, size)
        rect = first_free(candidates, bounds=bounds, taken=full)
        if rect:
            explained = faces[i].explained if heat else None
            panels.append(Bars(rect, class_names, faces[i].probabilities, colours[i], explained, own_size))
    return panels


def _bars_wh(names: tuple[str, ...], size: int) -> tuple[int, int]:
    width = _name_width(names, size) + round(BAR_LENGTH * size) + 3 * _padding(size)
    return width, round(ROW * size) * len(names) + _padding(size)


def _name_width(names: tuple[str, ...], size: int) -> int:
    return min(LONGEST_NAME * size, max(text_width(name, size, BOLD) for name in names))


def _bar_places(box: Rect, label: Label | None, size_wh: tuple[int, int], bounds: Rect, size: int) -> list[Rect]:
    """Right and left of the box, level with its top or bottom; below or above the label; over the face's own edge."""
    width, height = size_wh
    apart = round(0.7 * size)
    tops = [between(top, bounds.top, bounds.bottom - height) for top in (box.top, box.bottom - height)]
    beside = [
        place(left, top, size_wh=size_wh) for left in (box.right + apart, box.left - apart - width) for top in tops
    ]
    stacked = []
    if label:
        rows = (label.rect.bottom + _gap(size), label.rect.top - _gap(size) - height)
        stacked = [place(label.rect.left, top, size_wh=size_wh) for top in rows]
    at_edge = [place(left, top, size_wh=size_wh) for left in (bounds.right - width, bounds.left) for top in tops]
    return [
        *beside,
        *(rect for rect in stacked if not rect.touches(box)),
        *(rect for rect in at_edge if 0 < rect.overlap(box) <= OWN_SHARE * box.width * box.height),
    ]


def paint_bars(canvas: np.ndarray, bars: Bars) -> None:
    """A plate with a row a class: name and bar, the most probable one in its colour; left of one, the mark of heat."""
    size, rect = bars.size, bars.rect
    paint_plate(canvas, rect, radius=size // 3)
    top = int(bars.probabilities.argmax())
    row, length, thickness = round(ROW * size), round(BAR_LENGTH * size), max(3, round(0.45 * size))
    name_left = rect.left + _padding(size)
    bar_left = rect.right - _padding(size) - length
    for i, (name, probability) in enumerate(zip(bars.names, bars.probabilities, strict=True)):
        y = rect.top + _padding(size) // 2 + i * row
        weight, colour = (BOLD, WHITE) if i == top else (REGULAR, DIM)
        words = cut(name, _name_width(bars.names, size), size=size, weight=weight)
        put_text(
            canvas, words, xy=(name_left, baseline(y, y + row, size=size)), size=size, weight=weight, colour=colour
        )
        bar = place(bar_left, y + (row - thickness) / 2, size_wh=(length, thickness))
        bar.of(canvas)[:] = TRACK
        filled = bar._replace(right=bar_left + round(length * float(probability)))
        filled.of(canvas)[:] = bars.colour if i == top else QUIET
        if name == bars.explained:
            paint_heat_scale(canvas, place(rect.left, y, size_wh=(max(3, round(0.32 * size)), row)))


def _padding(size: int) -> int:
    return round(0.6 * size)


def _gap(size: int) -> int:
    return max(2, round(0.32 * size))


def _stripe(size: int) -> int:
    return max(2, round(0.2 * size))
