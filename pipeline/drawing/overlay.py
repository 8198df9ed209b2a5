"""The annotated picture: frame + FrameResult -> a new frame.

In:  a `FrameResult`, what to show, what the status line tells.
Out: (H, W, 3) uint8 RGB, a new array; the frame that came in is never written to.

    picture = draw(result, show=Show(alpha=0.7), status=Status(fps=24.0, device="cpu"))

An `Overlay` draws frame after frame: labels and bars then keep their side of a face from one frame to the next.
All rectangles are chosen before anything is painted; heatmaps are painted first, then boxes, then text.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.drawing.heat import paint_heatmaps
from pipeline.drawing.labels import colour_of, paint_bars, paint_label
from pipeline.drawing.layout import Scene, place_bars, place_labels, visible_box
from pipeline.drawing.primitives import SUBPIXEL_BITS, Rect
from pipeline.drawing.status_line import Status, paint_keys, paint_text_box, place_texts
from pipeline.drawing.text import Colour, text_size
from pipeline.options import SessionOptions
from pipeline.run import FaceResult, FrameResult

SHADOW: Colour = (16, 16, 16)  # around lines, so that they show on bright backgrounds too
FARTHEST = 1 << 24  # in parts of a pixel: a line to beyond it leaves every picture anyhow
ARM = 0.22  # length of the lines at a box's corner, as a share of its shorter side
CORNER_RADIUS = 0.45  # as a share of the arm
_ANGLES = np.linspace(np.pi, 1.5 * np.pi, 6)
_ARC = CORNER_RADIUS + CORNER_RADIUS * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
# (8, 2): up the left side, round the upper left corner, along the upper side; as shares of the arm.
_CORNER_PATH = np.concatenate([[[0, 1]], _ARC, [[1, 0]]])
_INWARDS = np.array(
    [[[1, 1]], [[1, -1]], [[-1, 1]], [[-1, -1]]]
)  # from each corner of a box, in the order of `paint_box`


@dataclass(frozen=True)
class Show:
    """What is drawn besides the heatmaps that a result holds.

    alpha: strength of the highest heat, 0 to 1. keys: (key, meaning) pairs, listed in the middle of the picture.
    """

    bars: bool = True
    alpha: float = SessionOptions.alpha
    keys: tuple[tuple[str, str], ...] = ()


def draw(result: FrameResult, *, show: Show | None = None, status: Status | None = None) -> np.ndarray:
    """The frame with all that `result` holds: (H, W, 3) uint8 RGB, a new array. Without `status` no status line."""
    return Overlay().draw(result, show=show, status=status)


class Overlay:
    """Draws the frames of one camera or film; remembers where each track's label and bars stood in the last one."""

    def __init__(self) -> None:
        self._label_positions: dict[int, str] = {}
        self._bar_positions: dict[int, str] = {}

    def draw(self, result: FrameResult, *, show: Show | None = None, status: Status | None = None) -> np.ndarray:
        """As the function `draw`."""
        show, faces, canvas = show or Show(), result.faces, result.frame_rgb.copy()
        frame, size = Rect(0, 0, canvas.shape[1], canvas.shape[0]), text_size(canvas.shape)
        texts, bounds, message = place_texts(status, faces=len(faces), frame=frame, size=size, limits=result.limits)
        boxes = [visible_box(face, frame) for face in faces]
        names, occupied = result.class_names, [text_box.rect for text_box in message]
        colours = [colour_of(face.label, names.index(face.label)) for face in faces]
        scene = Scene(faces, boxes, colours, bounds, occupied, size, names)
        labels = place_labels(scene, previous=self._label_positions)
        bars = place_bars(scene, labels, previous=self._bar_positions) if show.bars else []
        pairs = zip(faces, labels, strict=True)
        self._label_positions = {face.track: label.position for face, label in pairs if label and face.track}
        self._bar_positions = {panel.face.track: panel.position for panel in bars if panel.face.track}
        paint_heatmaps(canvas, faces, alpha=show.alpha)
        for face, box, colour in zip(faces, boxes, colours, strict=True):
            paint_window(canvas, face, colour=colour)
            paint_box(canvas, box, colour=colour, thickness=max(2, round(size / 7)))
        for panel in bars:
            paint_bars(canvas, panel)
        for label in filter(None, labels):
            paint_label(canvas, label)
        for text_box in [*texts, *message]:
            paint_text_box(canvas, text_box)
        if show.keys:
            paint_keys(canvas, show.keys, size=size)
        return canvas


def paint_window(canvas: np.ndarray, face: FaceResult, *, colour: Colour) -> None:
    """A thin line in `colour`, with a dark edge, around what a network saw that warps its input."""
    if face.window_xy is not None:
        path = [(face.window_xy * (1 << SUBPIXEL_BITS)).clip(-FARTHEST, FARTHEST).round().astype(np.int32)]
        cv2.polylines(canvas, path, True, SHADOW, 3, cv2.LINE_AA, SUBPIXEL_BITS)
        cv2.polylines(canvas, path, True, colour, 1, cv2.LINE_AA, SUBPIXEL_BITS)


def paint_box(canvas: np.ndarray, box: Rect, *, colour: Colour, thickness: int) -> None:
    """Four rounded corners in `colour`, each with a dark edge."""
    arm = max(3.0, ARM * min(box.width, box.height))
    ends = np.array([[[x, y]] for x in (box.left, box.right - 1) for y in (box.top, box.bottom - 1)])
    paths = list(((ends + arm * _CORNER_PATH * _INWARDS) * (1 << SUBPIXEL_BITS)).round().astype(np.int32))  # (4, 8, 2)
    cv2.polylines(canvas, paths, False, SHADOW, thickness + 2, cv2.LINE_AA, SUBPIXEL_BITS)
    cv2.polylines(canvas, paths, False, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
