"""Where labels and bars stand: each beside its own face, on nothing else, and where they stood before.

In:  the faces of a frame with their boxes, what is taken already, the part of the frame that is free.
Out: `Label`s and `Bars` (`pipeline/drawing/labels.py`) with their rectangles.

A label tries its long text above and below the box, then shorter ones, then inside the box; bars try the right side,
then the left. What finds no room stays away: nothing covers another face, label or panel. What stood somewhere in the
frame before stays there as long as it can, so that nothing jumps to and fro, but a label that was pushed below its face
goes up again where there is ample room: below, it may stand where the bars could. Else larger faces choose first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.drawing.labels import ROW, Bars, Colour, Label, bars_wh, gap, label_texts, label_wh
from pipeline.drawing.primitives import Rect, between, place
from pipeline.drawing.text import SMALLEST
from pipeline.run import FaceResult

CROWD = 6  # with more faces than this, labels leave "looks like" out
SMALLEST_FACE = 4.0  # font sizes; lower boxes get no bars
OWN_SHARE = 0.2  # bars may cover so much of their own face where the frame ends beside it


def visible_box(face: FaceResult, frame: Rect) -> Rect:
    """The part of a face's box inside the frame; at least one pixel at the edge next to it."""
    left, top, right, bottom = (round(float(v)) for v in face.box_xyxy)
    left, top = between(left, 0, frame.right - 1), between(top, 0, frame.bottom - 1)
    return Rect(left, top, between(right, left + 1, frame.right), between(bottom, top + 1, frame.bottom))


def first_free(
    places: Mapping[str, Rect], *, before: str | None, bounds: Rect, taken: Sequence[Rect], ample: int | None = None
) -> str | None:
    """The first place inside `bounds` that touches none of `taken`; `before`, where it last stood, is asked first.

    ample: pixels; a place that comes earlier in `places` than `before` is taken again where it has so much room around.
    """
    names = list(places)
    for name in names[: names.index(before)] if ample is not None and before in places else []:
        wide = places[name].grown(ample)
        if wide.inside(bounds) and not any(wide.touches(other) for other in taken):
            return name
    for name in sorted(names, key=lambda name: name != before):
        rect = places[name]
        if rect.inside(bounds) and not any(rect.touches(other) for other in taken):
            return name
    return None


def place_labels(
    faces: Sequence[FaceResult],
    *,
    boxes: Sequence[Rect],
    colours: Sequence[Colour],
    bounds: Rect,
    taken: Sequence[Rect],
    size: int,
    before: Mapping[int, str],
) -> list[Label | None]:
    """A label for each face, or None where there is no room for one inside `bounds` beside what is `taken`.

    boxes, colours: those of the faces, in their order. size: the font's, in pixels. before: track -> its place in the
    frame before.
    """
    labels: list[Label | None] = [None] * len(faces)
    for i in _order(faces, before):
        full = [*taken, *boxes[:i], *boxes[i + 1 :], *(label.rect for label in labels if label)]
        for pieces in label_texts(faces[i], size)[len(faces) > CROWD :]:
            places = _label_places(boxes[i], label_wh(pieces, size), bounds, size)
            where = first_free(places, before=before.get(faces[i].track), bounds=bounds, taken=full, ample=size)
            if where:
                labels[i] = Label(places[where], where, pieces, colours[i], size)
                break
    return labels


def _order(faces: Sequence[FaceResult], before: Mapping[int, str]) -> list[int]:
    """Who chooses first: those who had a place, and among these and the others the larger ones."""
    return sorted(range(len(faces)), key=lambda i: (faces[i].track not in before, -faces[i].face.size))


def _label_places(box: Rect, size_wh: tuple[int, int], bounds: Rect, size: int) -> dict[str, Rect]:
    """Above, below, and, if it is not wider than the box, in its upper corner."""
    left = between(box.left, bounds.left, bounds.right - size_wh[0])
    apart = gap(size)
    corner = (between(box.left + apart, bounds.left, box.right), between(box.top + apart, bounds.top, box.bottom))
    places = {
        "above": place(left, box.top - apart - size_wh[1], size_wh=size_wh),
        "below": place(left, box.bottom + apart, size_wh=size_wh),
        "within": place(*corner, size_wh=size_wh),
    }
    if not places["within"].inside(box):
        del places["within"]
    return places


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
    before: Mapping[int, str],
    heat: bool,
) -> list[Bars]:
    """Bars for each face that is large enough and has room beside it; as in `place_labels`.

    labels: those of the faces, in their order. heat: mark the class that the heat is for.
    """
    taken = [*taken, *(label.rect for label in labels if label)]
    panels: list[Bars] = []
    for i in _order(faces, before):
        box = boxes[i]
        if box.height < SMALLEST_FACE * size:
            continue
        own_size = round(between(box.height / (ROW * len(class_names) + 1), max(SMALLEST, 0.7 * size), 0.9 * size))
        size_wh = bars_wh(class_names, own_size)
        full = [*taken, *boxes[:i], *boxes[i + 1 :], *(panel.rect for panel in panels)]
        places = _bar_places(box, labels[i], size_wh, bounds, size)
        track, explained = faces[i].track, faces[i].explained if heat else None
        where = first_free(places, before=before.get(track), bounds=bounds, taken=full)
        if where:
            shown = (class_names, faces[i].probabilities, colours[i], explained, own_size)
            panels.append(Bars(places[where], where, track, *shown))
    return panels


def _bar_places(box: Rect, label: Label | None, size_wh: tuple[int, int], bounds: Rect, size: int) -> dict[str, Rect]:
    """Right and left of the box, level with its top or bottom; below or above the label; over the face's own edge."""
    width, height = size_wh
    apart = round(0.7 * size)
    tops = {"top": box.top, "bottom": box.bottom - height}
    tops = {name: between(top, bounds.top, bounds.bottom - height) for name, top in tops.items()}

    def level(sides: dict[str, float]) -> dict[str, Rect]:
        """A place for each of `sides`, name -> left edge, at both heights."""
        return {
            f"{side}, {name}": place(left, top, size_wh=size_wh)
            for side, left in sides.items()
            for name, top in tops.items()
        }

    places = level({"right": box.right + apart, "left": box.left - apart - width})
    if label:
        rows = {"below": label.rect.bottom + gap(size), "above": label.rect.top - gap(size) - height}
        stacked = {name: place(label.rect.left, top, size_wh=size_wh) for name, top in rows.items()}
        places |= {name: rect for name, rect in stacked.items() if not rect.touches(box)}
    at_edge = level({"right edge": bounds.right - width, "left edge": bounds.left})
    largest = OWN_SHARE * box.width * box.height
    return places | {name: rect for name, rect in at_edge.items() if 0 < rect.overlap(box) <= largest}
