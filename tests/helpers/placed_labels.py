"""Faces in a frame, and where their labels and bars are placed."""

from __future__ import annotations

import numpy as np

from pipeline.drawing.labels import PALETTE, colour_of
from pipeline.drawing.layout import place_bars, place_labels, visible_box
from pipeline.drawing.primitives import Rect
from pipeline.run import FaceResult
from retinaface.face import Face

NAMES = tuple(PALETTE)
FRAME, SIZE = Rect(0, 0, 640, 480), 14


def face(box_xyxy, *, label="happiness", confidence=0.82, names=NAMES, explained=None, track=0):
    probabilities = np.full(len(names), (1 - confidence) / max(1, len(names) - 1), np.float32)
    probabilities[names.index(label)] = confidence
    found = Face(np.array(box_xyxy, np.float32), np.zeros((5, 2), np.float32), 0.9)
    return FaceResult(found, probabilities, label, confidence, None, explained, np.zeros((2, 3)), track)


def placed(faces, *, names=NAMES, bounds=FRAME, taken=(), before=({}, {})):
    """Boxes, labels and bars; `before`: where labels and bars stood, by track."""
    boxes = [visible_box(one, FRAME) for one in faces]
    common = {
        "boxes": boxes,
        "colours": [colour_of(one.label, names.index(one.label)) for one in faces],
        "bounds": bounds,
        "taken": taken,
        "size": SIZE,
    }
    labels = place_labels(faces, before=before[0], **common)
    bars = place_bars(faces, before=before[1], class_names=names, labels=labels, heat=True, **common)
    return boxes, labels, bars
