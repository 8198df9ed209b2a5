"""Where labels and bars stand: each beside its own face, on nothing else, and where they were in the last frame.

In:  the faces of a frame with their boxes, the rectangles that are occupied, the part of the frame that is free.
Out: `Label`s and `Bars` (`pipeline/drawing/labels.py`) with their rectangles.

A label tries its long text above and below the box, then shorter ones, then inside the box; bars try the right side,
then the left. What finds no room is left out: nothing covers another face, label or panel. A label or panel keeps its
position from frame to frame as long as it can, so that nothing jumps to and fro; but a label that was pushed below its
face goes up again where there is ample room: below, it may stand where the bars could. Larger faces choose first.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.drawing.labels import ROW, Bars, Label, bars_wh, gap, label_texts, label_wh
from pipeline.drawing.primitives import Rect, clamp
from pipeline.drawing.text import SMALLEST, Colour
from pipeline.run import FaceResult

CROWD = 6  # with more faces than this, labels leave "looks like" out
SMALLEST_FACE = 4.0  # font sizes; lower boxes get no bars
OWN_SHARE = 0.2  # bars may cover so much of their own face where the frame ends beside it


@dataclass(frozen=True, eq=False)
class Scene:
    """The faces to be labelled, and the room there is.

    boxes, colours: those of the faces, in their order. bounds: where labels and bars may stand. occupied: rectangles
    that they must not meet. size: the font's, in pixels.
    """

    faces: Sequence[FaceResult]
    boxes: Sequence[Rect]
    colours: Sequence[Colour]
    bounds: Rect
    occupied: Sequence[Rect]
    size: int
    class_names: tuple[str, ...]

    def first_free(
        self,
        candidates: Mapping[str, Rect],
        index: int,
        *,
        placed: Sequence[Label | Bars | None],
        previous: str | None,
        ample: int = 0,
    ) -> str | None:
        """The first position for a face's label or bars that meets no other face and nothing that has been placed.

        candidates: position -> rectangle, best first; but the `previous` one is tried first.
        ample: pixels; a candidate better than `previous` is taken again where it has so much room around it.
        """
        names = list(candidates)
        better = names[: names.index(previous)] if ample and previous in names else []
        tries = [(name, ample) for name in better]
        tries += [(name, 0) for name in sorted(names, key=lambda name: name != previous)]
        reach = functools.reduce(Rect.union, candidates.values()).padded(ample)
        rects = itertools.chain(
            self.occupied, self.boxes[:index], self.boxes[index + 1 :], (item.rect for item in placed if item)
        )
        near = [other for other in rects if reach.intersects(other)]
        for name, room in tries:
            rect = candidates[name].padded(room)
            if rect.inside(self.bounds) and not any(rect.intersects(other) for other in near):
                return name
        return None


def visible_box(face: FaceResult, frame: Rect) -> Rect:
    """The part of a face's box inside the frame; at least one pixel at the edge next to it."""
    left, top, right, bottom = (round(float(v)) for v in face.box_xyxy)
    left, top = clamp(left, 0, frame.right - 1), clamp(top, 0, frame.bottom - 1)
    return Rect(left, top, clamp(right, left + 1, frame.right), clamp(bottom, top + 1, frame.bottom))


def place_labels(scene: Scene, *, previous: Mapping[int, str]) -> list[Label | None]:
    """A label for each face, or None where there is no room for one.

    previous: track -> its label's position in the last frame.
    """
    faces, size = scene.faces, scene.size
    labels: list[Label | None] = [None] * len(faces)
    for i in _choosing_order(faces, previous):
        for pieces in label_texts(faces[i], size)[len(faces) > CROWD :]:
            candidates = _label_candidates(scene.boxes[i], label_wh(pieces, size), scene.bounds, size)
            own = previous.get(faces[i].track)
            position = scene.first_free(candidates, i, placed=labels, previous=own, ample=size)
            if position:
                labels[i] = Label(candidates[position], position, pieces, scene.colours[i], size)
                break
    return labels


def _choosing_order(faces: Sequence[FaceResult], previous: Mapping[int, str]) -> list[int]:
    """Indices: first the faces that had a position, and among these and the others the larger ones."""
    return sorted(range(len(faces)), key=lambda i: (faces[i].track not in previous, -faces[i].face.size))


def _label_candidates(box: Rect, size_wh: tuple[int, int], bounds: Rect, size: int) -> dict[str, Rect]:
    """Above, below, and, if it is not wider than the box, in its upper corner."""
    left = clamp(box.left, bounds.left, bounds.right - size_wh[0])
    apart = gap(size)
    corner = (clamp(box.left + apart, bounds.left, box.right), clamp(box.top + apart, bounds.top, box.bottom))
    candidates = {
        "above": Rect.at(left, box.top - apart - size_wh[1], size_wh=size_wh),
        "below": Rect.at(left, box.bottom + apart, size_wh=size_wh),
        "within": Rect.at(*corner, size_wh=size_wh),
    }
    if not candidates["within"].inside(box):
        del candidates["within"]
    return candidates


def place_bars(scene: Scene, labels: Sequence[Label | None], *, previous: Mapping[int, str]) -> list[Bars]:
    """Bars for each face that is large enough and has room beside it.

    labels: those of the faces, in their order. previous: track -> its bars' position in the last frame.
    """
    size, bounds, class_names = scene.size, scene.bounds, scene.class_names
    panels: list[Bars] = []
    for i in _choosing_order(scene.faces, previous):
        box, face = scene.boxes[i], scene.faces[i]
        if box.height < SMALLEST_FACE * size:
            continue
        own_size = round(clamp(box.height / (ROW * len(class_names) + 1), max(SMALLEST, 0.7 * size), 0.9 * size))
        candidates = _bar_candidates(box, labels[i], bars_wh(class_names, own_size), bounds, size)
        position = scene.first_free(candidates, i, placed=[*labels, *panels], previous=previous.get(face.track))
        if position:
            panels.append(Bars(candidates[position], position, face, class_names, scene.colours[i], own_size))
    return panels


def _bar_candidates(
    box: Rect, label: Label | None, size_wh: tuple[int, int], bounds: Rect, size: int
) -> dict[str, Rect]:
    """Right and left of the box, level with its top or bottom; below or above the label; over the face's own edge."""
    width, height = size_wh
    apart = round(0.7 * size)
    tops = {"top": box.top, "bottom": box.bottom - height}
    tops = {name: clamp(top, bounds.top, bounds.bottom - height) for name, top in tops.items()}

    def level(sides: dict[str, int]) -> dict[str, Rect]:
        """A candidate for each of `sides`, name -> left edge, at both heights."""
        return {
            f"{side}, {name}": Rect.at(left, top, size_wh=size_wh)
            for side, left in sides.items()
            for name, top in tops.items()
        }

    candidates = level({"right": box.right + apart, "left": box.left - apart - width})
    if label:
        rows = {"below": label.rect.bottom + gap(size), "above": label.rect.top - gap(size) - height}
        stacked = {name: Rect.at(label.rect.left, top, size_wh=size_wh) for name, top in rows.items()}
        candidates |= {name: rect for name, rect in stacked.items() if not rect.intersects(box)}
    at_edge = level({"right edge": bounds.right - width, "left edge": bounds.left})
    largest = OWN_SHARE * box.area
    return candidates | {name: rect for name, rect in at_edge.items() if 0 < rect.intersection(box).area <= largest}
