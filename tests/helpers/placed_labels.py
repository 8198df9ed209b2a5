"""Faces in a frame, and where their labels and bars are placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.drawing.labels import PALETTE, Bars, Label, colour_of
from pipeline.drawing.layout import Scene, place_bars, place_labels, visible_box
from pipeline.drawing.primitives import Rect
from pipeline.run import FaceResult
from retinaface.face import Face

NAMES = tuple(PALETTE)
FRAME, SIZE = Rect(0, 0, 640, 480), 14


def face(
    box_xyxy: Sequence[float],
    *,
    label: str = "happiness",
    confidence: float = 0.82,
    names: tuple[str, ...] = NAMES,
    explained: str | None = None,
    track: int = 0,
) -> FaceResult:
    """A face of that label and confidence; the other classes share the rest."""
    probabilities = np.full(len(names), (1 - confidence) / max(1, len(names) - 1), np.float32)
    probabilities[names.index(label)] = confidence
    detected = Face(np.array(box_xyxy, np.float32), np.zeros((5, 2), np.float32), 0.9)
    return FaceResult(detected, probabilities, label, confidence, None, explained, np.zeros((2, 3)), track)


def placed(
    faces: Sequence[FaceResult],
    *,
    names: tuple[str, ...] = NAMES,
    bounds: Rect = FRAME,
    occupied: Sequence[Rect] = (),
    previous: tuple[Mapping[int, str], Mapping[int, str]] = ({}, {}),
) -> tuple[list[Rect], list[Label | None], list[Bars]]:
    """Boxes, labels and bars; `previous`: the positions of labels and bars in the last frame, by track."""
    boxes = [visible_box(one, FRAME) for one in faces]
    colours = [colour_of(one.label, names.index(one.label)) for one in faces]
    scene = Scene(faces, boxes, colours, bounds, occupied, SIZE, names)
    labels = place_labels(scene, previous=previous[0])
    return boxes, labels, place_bars(scene, labels, previous=previous[1])
