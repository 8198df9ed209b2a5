"""Faces too large for the anchors: found in a smaller frame, they take the place of what was found of them in this one.

In:  the faces found in a frame, and those found in the same frame made smaller.
Out: one list in which a face that fills the frame is one face, not a mouth, a nose and two cheeks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retinaface.anchors import iou
from retinaface.face import Face, boxes_of

NEAR = 256  # size in pixels of the searched frame from which on a face is searched for in a smaller one, too
# Score from which on it may be a face that overfills the frame: those are scored too low there, not in a smaller one.
POSSIBLE = 0.3
ALONE = 1.25  # times NEAR, from which on only what the smaller frame says of a face counts; the two are blended below
SAME_IOU = 0.5  # from which on a face of the smaller frame is one that was found in the larger, too
WHOLE_SCORE = 0.8  # from which on a face found in a smaller frame outdoes its parts, however high they are scored
PART = 0.15  # size of a part as a share of its face's, at least; what is smaller may be another face


def whole_faces(faces: Sequence[Face], smaller: Sequence[Face], *, near: float, iou_threshold: float) -> list[Face]:
    """`faces` with the large ones of `smaller`, found in a smaller frame, in place of their parts; best score first.

    near: `NEAR` in the pixels of the faces. A face found in both frames is blended, so that none jumps as it comes
    nearer: as it is in `faces` at a size of `near`, as in `smaller` from `ALONE` times that. What is as large and found
    in `faces` alone is no face but a blur, as in enlarged pictures and in backgrounds out of focus.

    A part has its centre inside the large face, is not much smaller, and does not score higher, unless the large one is
    sure. A large face that then still overlaps another by more than `iou_threshold`, as NMS allows none to, is left
    out. Faces that are not `POSSIBLE` change none that is, so it does not matter how many of them the detector gives.
    """
    found = _overlap(faces, smaller).max(axis=1, initial=0) >= SAME_IOU
    kept = [face for face, also in zip(faces, found, strict=True) if also or face.size < ALONE * near]
    for whole in smaller:
        overlap = _overlap([whole], kept)[0]
        same = int(overlap.argmax()) if overlap.max(initial=0) >= SAME_IOU else None
        if (whole.size if same is None else kept[same].size) < near:
            continue
        if same is not None:
            other = kept.pop(same)
            whole = blended(other, whole, share=(other.size / near - 1) / (ALONE - 1))
        boxes = boxes_of(kept)
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = ((centre > whole.box_xyxy[:2]) & (centre < whole.box_xyxy[2:])).all(axis=1)
        kept = [
            face
            for face, is_inside in zip(kept, inside, strict=True)
            if not (is_inside and face.size >= PART * whole.size and whole.score >= min(WHOLE_SCORE, face.score))
        ]
        if same is not None or (iou(whole.box_xyxy[None], boxes_of(kept)) <= iou_threshold).all():
            kept.append(whole)
    return sorted(kept, key=lambda face: -face.score)


def _overlap(faces: Sequence[Face], others: Sequence[Face]) -> np.ndarray:
    """(F, O): their IoU, 0 where one is `POSSIBLE` and the other is not."""
    possible, others_possible = (np.array([face.score >= POSSIBLE for face in some], bool) for some in (faces, others))
    return iou(boxes_of(faces), boxes_of(others)) * (possible[:, None] == others_possible)


def blended(face: Face, other: Face, *, share: float) -> Face:
    """The mean of two, `share` of the second, 0 to 1; with the better score."""
    share = min(max(share, 0.0), 1.0)
    return Face(
        box_xyxy=face.box_xyxy + np.float32(share) * (other.box_xyxy - face.box_xyxy),
        landmarks_xy=face.landmarks_xy + np.float32(share) * (other.landmarks_xy - face.landmarks_xy),
        score=max(face.score, other.score),
    )
