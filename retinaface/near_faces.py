"""Faces too large for the anchors: found in a smaller frame, they take the place of what was found of them in this one.

In:  the faces found in a frame, and those found in the same frame made smaller.
Out: one list in which a face that fills the frame is one face, not a mouth, a nose and two cheeks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retinaface.anchors import iou
from retinaface.face import Face

NEAR = 256  # size in pixels of the searched frame from which on a face is searched for in a smaller one, too
WHOLE_SCORE = 0.8  # from which on a face found in a smaller frame outdoes its parts, however high they are scored
PART = 0.15  # size of a part as a share of its face's, at least; what is smaller may be another face


def whole_faces(faces: Sequence[Face], large: Sequence[Face], *, iou_threshold: float = 0.4) -> list[Face]:
    """`faces` with the `large` ones, which were found in a smaller frame, in place of their parts; best score first.

    A part, or the same face, has its centre inside the large face, is not much smaller, and does not score higher,
    unless the large one is sure. A large face that then still overlaps another by more than `iou_threshold`, as NMS
    allows none to, is left out.
    """
    kept = list(faces)
    for whole in large:
        boxes = np.array([face.box_xyxy for face in kept]).reshape(-1, 4)
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = ((centre > whole.box_xyxy[:2]) & (centre < whole.box_xyxy[2:])).all(axis=1)
        kept = [
            face
            for face, is_inside in zip(kept, inside, strict=True)
            if not (is_inside and face.size >= PART * whole.size and whole.score >= min(WHOLE_SCORE, face.score))
        ]
        boxes = np.array([face.box_xyxy for face in kept]).reshape(-1, 4)
        if (iou(whole.box_xyxy[None], boxes) <= iou_threshold).all():
            kept.append(whole)
    return sorted(kept, key=lambda face: -face.score)
