"""The annotated picture: frame + FrameResult -> a new frame.

In:  a `FrameResult`, what to show, what the status line tells.
Out: (H, W, 3) uint8 RGB, a new array; the frame that came in is never written to.

    picture = draw(result)
    picture = draw(result, show=Show(landmarks=True, alpha=0.7), status=Status(fps=24.0, device="cpu"))

Heat is painted first, then boxes, then text; text finds its places before anything is painted (`panel.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from gradcam import blend
from pipeline.crops import back_to_frame
from pipeline.panel import Colour, colour_of, paint_bars, paint_label, place_bars, place_labels, visible_box
from pipeline.plates import FINE, Rect
from pipeline.run import FaceResult, FrameResult
from pipeline.status import (
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
from pipeline.text import text_size

SHADOW: Colour = (16, 16, 16)  # around lines and dots, so that they show on bright ground too
CORNER = 0.22  # length of a box's corner, as a share of its shorter side


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
    show = show or Show()
    canvas = result.frame_rgb.copy()
    faces, names = result.faces, result.class_names
    frame, size = Rect(0, 0, canvas.shape[1], canvas.shape[0]), text_size(canvas.shape)
    heat = show.heatmap and any(face.heatmap is not None for face in faces)
    boxes = [visible_box(face, frame) for face in faces]
    colours = [colour_of(face.label, names.index(face.label)) for face in faces]

    items = status_items(status, faces=len(faces), heat=show.heatmap) if status else []
    upper = place_status(items, frame=frame, size=size)
    lower = place_notice(NOTICE, frame=frame, size=size)
    room = _between(upper, lower, frame, apart=margin(size) // 2)
    message = place_message(status.message, frame=frame, above=room.bottom, size=size) if status else []
    common = {"boxes": boxes, "colours": colours, "bounds": room, "size": size}
    taken = [plate.rect for plate in message]
    labels = place_labels(faces, taken=taken, **common)
    panels = place_bars(faces, class_names=names, labels=labels, taken=taken, heat=heat, **common) if show.bars else []

    if heat:
        paint_heat(canvas, faces, alpha=show.alpha)
    for box, colour in zip(boxes, colours, strict=True):
        paint_box(canvas, box, colour=colour, thickness=max(2, round(size / 7)))
    if show.landmarks:
        for face in faces:
            paint_landmarks(canvas, face, radius=max(2, size / 8))
    for panel in panels:
        paint_bars(canvas, panel)
    for label in filter(None, labels):
        paint_label(canvas, label)
    for plate in (*upper, *lower, *message):
        paint_lines(canvas, plate)
    if show.help and show.keys:
        paint_keys(canvas, show.keys, size=size)
    return canvas


def _between(upper: Sequence[Plate], lower: Sequence[Plate], frame: Rect, *, apart: int) -> Rect:
    """The part of the frame between the status line and the notice."""
    top = max((plate.rect.bottom for plate in upper), default=frame.top - apart) + apart
    bottom = min((plate.rect.top for plate in lower), default=frame.bottom + apart) - apart
    return Rect(frame.left + apart, top, frame.right - apart, bottom)


def paint_heat(canvas: np.ndarray, faces: Sequence[FaceResult], *, alpha: float) -> None:
    """Each face's heatmap on the place its crop was cut from, as strongly as it is high; nothing outside the crop."""
    frame = Rect(0, 0, canvas.shape[1], canvas.shape[0])
    for face in faces:
        rect = _around_crop(face, frame)
        if face.heatmap is not None and rect.touches(frame):
            ground = rect.of(canvas)
            lying = back_to_frame(face.heatmap, face.to_crop, rect_xyxy=np.array(rect))
            ground[:] = blend(ground, lying, alpha=alpha)


def _around_crop(face: FaceResult, frame: Rect) -> Rect:
    """The rectangle of the frame that holds the crop's square; empty where the two do not meet.

    A face whose landmarks all lie in one place has a matrix of zeros, and no square.
    """
    turn, shift = face.to_crop[:, :2], face.to_crop[:, 2]
    if face.heatmap is None or abs(np.linalg.det(turn)) < 1e-12:
        return Rect(0, 0, 0, 0)
    end = face.heatmap.shape[0]
    corners = np.array([[-1, -1], [end, -1], [-1, end], [end, end]])  # the pixels around the crop: no heat
    in_frame = (corners - shift) @ np.linalg.inv(turn).T
    first, last = np.floor(in_frame.min(axis=0)), np.ceil(in_frame.max(axis=0)) + 1
    ends = np.clip([first, last], 0, [frame.right, frame.bottom])
    return Rect(*ends.astype(int).ravel().tolist())


def paint_box(canvas: np.ndarray, box: Rect, *, colour: Colour, thickness: int) -> None:
    """Four rounded corners in `colour`, each with a dark edge."""
    arm = max(3.0, CORNER * min(box.width, box.height))
    bend = 0.45 * arm
    angles = np.linspace(np.pi, 1.5 * np.pi, 6)
    arc = bend + bend * np.stack([np.cos(angles), np.sin(angles)], axis=1)  # from the left side to the upper side
    corner = np.concatenate([[[0, arm]], arc, [[arm, 0]]])  # (8, 2), the upper left one
    outer = np.array([[box.left, box.top], [box.right - 1, box.bottom - 1]])
    paths = [
        (np.array([outer[i, 0], outer[j, 1]]) + corner * [1 - 2 * i, 1 - 2 * j]) * (1 << FINE)
        for i in (0, 1)
        for j in (0, 1)
    ]
    paths = [path.round().astype(np.int32) for path in paths]
    cv2.polylines(canvas, paths, False, SHADOW, thickness + 2, cv2.LINE_AA, FINE)
    cv2.polylines(canvas, paths, False, colour, thickness, cv2.LINE_AA, FINE)


def paint_landmarks(canvas: np.ndarray, face: FaceResult, *, radius: float) -> None:
    """Five white dots with a dark edge; points outside the picture are left out."""
    height, width = canvas.shape[:2]
    for x, y in face.landmarks_xy.tolist():
        if 0 <= x < width and 0 <= y < height:
            centre = (round(x * (1 << FINE)), round(y * (1 << FINE)))
            for reach, colour in ((radius + 1, SHADOW), (radius, (255, 255, 255))):
                cv2.circle(canvas, centre, round(reach * (1 << FINE)), colour, -1, cv2.LINE_AA, FINE)
