"""The annotated picture: frame + FrameResult -> a new frame.

In:  a `FrameResult`, what to show, what the status line tells.
Out: (H, W, 3) uint8 RGB, a new array; the frame that came in is never written to.

    picture = draw(result)
    picture = draw(result, show=Show(landmarks=True, alpha=0.7), status=Status(fps=24.0, device="cpu"))

An `Overlay` draws frame after frame: what stands beside a face then stays on its side from one to the next.
Heat is painted first, then boxes, then text; text finds its places before anything is painted (`panel.py`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from gradcam import TURBO_RGB
from pipeline.crops import back_to_frame
from pipeline.drawing.labels import Bars, Colour, Label, colour_of, paint_bars, paint_label
from pipeline.drawing.layout import place_bars, place_labels, visible_box
from pipeline.drawing.primitives import FINE, OverlayPatch, Rect
from pipeline.drawing.status_line import (
    NOTICE,
    Plate,
    Status,
    margin,
    paint_keys,
    paint_lines,
    place_message,
    place_notice,
    place_status,
    status_items,
)
from pipeline.drawing.text import text_size
from pipeline.run import FaceResult, FrameResult

SHADOW: Colour = (16, 16, 16)  # around lines and dots, so that they show on bright ground too
FARTHEST = 1 << 24  # in parts of a pixel: a line to beyond it leaves every picture anyhow
CORNER = 0.22  # length of a box's corner, as a share of its shorter side
BEND = 0.45  # its radius, as a share of that length


@dataclass(frozen=True)
class Show:
    """What is drawn.

    alpha: strength of the highest heat, 0 to 1.
    help: the list `keys`, (key, meaning) pairs, in the middle of the picture.
    """

    heatmap: bool = True
    bars: bool = True
    landmarks: bool = False
    alpha: float = 0.5
    help: bool = False
    keys: tuple[tuple[str, str], ...] = ()


def draw(result: FrameResult, *, show: Show | None = None, status: Status | None = None) -> np.ndarray:
    """The frame with all that was read in it: (H, W, 3) uint8 RGB, a new array. Without `status` no status line."""
    return Overlay().draw(result, show=show, status=status)


@dataclass(frozen=True, eq=False)
class Layout:
    """Where everything stands in one picture; boxes and labels in the order of the faces."""

    boxes: list[Rect]
    labels: list[Label | None]
    panels: list[Bars]
    plates: list[Plate]


class Overlay:
    """Draws the frames of one camera or film; remembers where each track's label and bars stood in the last one."""

    def __init__(self) -> None:
        self._labels_before: dict[int, str] = {}
        self._bars_before: dict[int, str] = {}

    def draw(self, result: FrameResult, *, show: Show | None = None, status: Status | None = None) -> np.ndarray:
        """As the function `draw`."""
        show, faces = show or Show(), result.faces
        canvas = result.frame_rgb.copy()
        size = text_size(canvas.shape)
        colours = [colour_of(face.label, result.class_names.index(face.label)) for face in faces]
        layout = self._arrange(result, colours, show, status)
        if show.heatmap:
            paint_heat(canvas, faces, alpha=show.alpha)
            for face, colour in zip(faces, colours, strict=True):
                paint_window(canvas, face, colour=colour)
        for box, colour in zip(layout.boxes, colours, strict=True):
            paint_box(canvas, box, colour=colour, thickness=max(2, round(size / 7)))
        if show.landmarks:
            for face in faces:
                paint_landmarks(canvas, face, radius=max(2, size / 8))
        for panel in layout.panels:
            paint_bars(canvas, panel)
        for label in filter(None, layout.labels):
            paint_label(canvas, label)
        for plate in layout.plates:
            paint_lines(canvas, plate)
        if show.help and show.keys:
            paint_keys(canvas, show.keys, size=size)
        return canvas

    def _arrange(self, result: FrameResult, colours: list[Colour], show: Show, status: Status | None) -> Layout:
        """Find room: first for what the picture says of itself, then for labels, then for bars."""
        faces, shape = result.faces, result.frame_rgb.shape
        frame, size = Rect(0, 0, shape[1], shape[0]), text_size(shape)
        boxes = [visible_box(face, frame) for face in faces]
        items = status_items(status, faces=len(faces), heat=show.heatmap) if status else []
        upper = place_status(items, frame=frame, size=size)
        lower = place_notice(NOTICE, frame=frame, size=size)
        room = _between(upper, lower, frame, apart=margin(size) // 2)
        message = place_message(status.message, frame=frame, above=room.bottom, size=size) if status else []
        taken = [plate.rect for plate in message]
        common = {"boxes": boxes, "colours": colours, "bounds": room, "taken": taken, "size": size}
        labels = place_labels(faces, before=self._labels_before, **common)
        panels: list[Bars] = []
        if show.bars:
            heat = show.heatmap and any(face.heatmap is not None for face in faces)
            names = result.class_names
            panels = place_bars(faces, before=self._bars_before, class_names=names, labels=labels, heat=heat, **common)
        stood = zip(faces, labels, strict=True)
        self._labels_before = {face.track: label.place for face, label in stood if label and face.track}
        self._bars_before = {panel.track: panel.place for panel in panels if panel.track}
        return Layout(boxes, labels, panels, [*upper, *lower, *message])


def _between(upper: Sequence[Plate], lower: Sequence[Plate], frame: Rect, *, apart: int) -> Rect:
    """The part of the frame between the status line and the notice."""
    top = max((plate.rect.bottom for plate in upper), default=frame.top - apart) + apart
    bottom = min((plate.rect.top for plate in lower), default=frame.bottom + apart) - apart
    return Rect(frame.left + apart, top, frame.right - apart, bottom)


def paint_heat(canvas: np.ndarray, faces: Sequence[FaceResult], *, alpha: float) -> None:
    """Each face's heatmap on the place its crop was cut from, as strongly as it is high; nothing outside the crop.

    As `gradcam.blend`, in whole numbers: every pixel of a heatmap has one of 256 heights, and each height keeps so much
    of the ground and adds so much colour.
    """
    frame, tables = Rect(0, 0, canvas.shape[1], canvas.shape[0]), _heat_tables(alpha)
    for face in faces:
        rect = _around_crop(face, frame)
        if face.heatmap is not None and rect.touches(frame):
            height = cv2.convertScaleAbs(face.heatmap, alpha=255)
            lying = back_to_frame(height, face.to_crop, rect_xyxy=rect)
            OverlayPatch(*(cv2.applyColorMap(lying, table) for table in tables)).lay(rect.of(canvas))


@functools.lru_cache(maxsize=8)
def _heat_tables(alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """(256, 1, 3) uint8 twice: how much of the ground heat of each height keeps, and which colour it adds."""
    strength = alpha * np.arange(256).reshape(256, 1, 1) / 255
    keep = np.broadcast_to(255 * (1 - strength), (256, 1, 3))
    return tuple(np.ascontiguousarray(table.round().astype(np.uint8)) for table in (keep, strength * TURBO_RGB))


def _around_crop(face: FaceResult, frame: Rect) -> Rect:
    """The rectangle of the frame that holds the crop's square; empty where the two do not meet.

    A face whose landmarks all lie in one place has a matrix of zeros, and no square.
    """
    (a, b, x), (c, d, y) = face.to_crop.tolist()
    determinant = a * d - b * c
    if face.heatmap is None or abs(determinant) < 1e-12:
        return Rect(0, 0, 0, 0)
    ends = (-1, face.heatmap.shape[0])  # the pixels around the crop: no heat
    corners = [(u - x, v - y) for u in ends for v in ends]
    across = [(d * u - b * v) / determinant for u, v in corners]  # by the inverse matrix
    down = [(a * v - c * u) / determinant for u, v in corners]
    first, last = (math.floor(min(across)), math.floor(min(down))), (math.ceil(max(across)), math.ceil(max(down)))
    return Rect(*first, last[0] + 1, last[1] + 1).common(frame)


def paint_window(canvas: np.ndarray, face: FaceResult, *, colour: Colour) -> None:
    """A thin line in `colour`, with a dark edge, around what a network saw that warps its input."""
    if face.window_xy is not None:
        path = [(face.window_xy * (1 << FINE)).clip(-FARTHEST, FARTHEST).round().astype(np.int32)]
        cv2.polylines(canvas, path, True, SHADOW, 3, cv2.LINE_AA, FINE)
        cv2.polylines(canvas, path, True, colour, 1, cv2.LINE_AA, FINE)


def paint_box(canvas: np.ndarray, box: Rect, *, colour: Colour, thickness: int) -> None:
    """Four rounded corners in `colour`, each with a dark edge."""
    arm = max(3.0, CORNER * min(box.width, box.height))
    ends = np.array([[[x, y]] for x in (box.left, box.right - 1) for y in (box.top, box.bottom - 1)])
    paths = (ends + arm * _CORNER_PATH * _INWARDS) * (1 << FINE)  # (4, 8, 2)
    paths = list(paths.round().astype(np.int32))
    cv2.polylines(canvas, paths, False, SHADOW, thickness + 2, cv2.LINE_AA, FINE)
    cv2.polylines(canvas, paths, False, colour, thickness, cv2.LINE_AA, FINE)


def _corner_path() -> np.ndarray:
    """(8, 2): up the left side, round the upper left corner, along the upper side; as shares of the arm."""
    angles = np.linspace(np.pi, 1.5 * np.pi, 6)
    arc = BEND + BEND * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([[[0, 1]], arc, [[1, 0]]])


_CORNER_PATH = _corner_path()
_INWARDS = np.array([[[1, 1]], [[1, -1]], [[-1, 1]], [[-1, -1]]])  # from each corner of a box, in the order of `ends`


def paint_landmarks(canvas: np.ndarray, face: FaceResult, *, radius: float) -> None:
    """Five white dots with a dark edge; points outside the picture are left out."""
    height, width = canvas.shape[:2]
    for x, y in face.landmarks_xy.tolist():
        if 0 <= x < width and 0 <= y < height:
            centre = (round(x * (1 << FINE)), round(y * (1 << FINE)))
            for reach, colour in ((radius + 1, SHADOW), (radius, (255, 255, 255))):
                cv2.circle(canvas, centre, round(reach * (1 << FINE)), colour, -1, cv2.LINE_AA, FINE)
