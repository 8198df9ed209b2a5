"""Pseudo-labels: what a trained detector, the teacher, adds to annotated pictures.

In:  annotated pictures, a detector at a score threshold of `UNSURE_SCORE`.
Out: the pictures with more faces, landmarks and regions to ignore.

A face that nobody annotated would train the detector not to find it. Where a picture is not `complete`, the teacher
finds such faces: sure ones become boxes, unsure ones regions to ignore. It also sets the landmarks that nobody set by
hand, less its landmark bias, the mean offset from landmarks that were set by hand: the public weights set each landmark
0.010 to 0.025 eye distances to the right of and below LFW's. Half a pixel of that is a convention: its landmarks on
mirrored pictures show that it counts from the corner of the first pixel, not from its centre.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from retinaface.anchors import iou
from retinaface.face import Face, resized
from retinaface.training.annotations import Detect, Picture

SURE_SCORE, UNSURE_SCORE = 0.85, 0.08
SAME_FACE_IOU = 0.3
NO_BIAS = np.zeros((5, 2))
BIAS_PICTURES, BIAS_SIDE = 800, 200  # the bias is measured on about so many pictures of so many pixels or more


def add_pseudo_labels(picture: Picture, teacher: Detect, *, landmark_bias: np.ndarray = NO_BIAS) -> Picture:
    """`picture` with the teacher's pseudo-labels.

    Faces without landmarks set by hand get those of the teacher's face in the same place, less `landmark_bias` (5, 2),
    in the face's `eye_frame`. In a picture that is not complete, faces that nobody annotated become boxes, or regions
    to ignore where the teacher is unsure.
    """
    boxes, landmarks, ignore = picture.boxes, picture.landmarks.copy(), picture.ignore
    unset = np.isnan(landmarks).any(axis=(1, 2)) | (not picture.by_hand)
    for face in detect_enlarged(picture, teacher):
        points = (face.landmarks_xy - landmark_bias @ eye_frame(face.landmarks_xy)).astype(np.float32)
        overlap = iou(face.box_xyxy[None], picture.boxes)[0] if len(picture.boxes) else np.zeros(1)
        if overlap.max() > SAME_FACE_IOU:
            row = overlap.argmax()
            if unset[row]:
                landmarks[row], unset[row] = points, False  # later faces have lower scores
        elif not picture.complete and face.score >= SURE_SCORE:
            boxes, landmarks = np.vstack([boxes, [face.box_xyxy]]), np.vstack([landmarks, [points]])
        elif not picture.complete:
            ignore = np.vstack([ignore, [face.box_xyxy]])
    return dataclasses.replace(picture, boxes=boxes, landmarks=landmarks, ignore=ignore)


def measure_landmark_bias(teacher: Detect, pictures: Sequence[Picture]) -> np.ndarray:
    """(5, 2) float: the mean offset of the teacher's landmarks from those set by hand, in the face's `eye_frame`.

    Small pictures are left out: in them half a pixel, by which conventions differ, is much.
    """
    large = [p for p in pictures if p.by_hand and len(p.boxes) and min(p.image.shape[:2]) >= BIAS_SIDE]
    marked = [p for p in large if np.isfinite(p.landmarks[0]).all()]
    offsets = []
    for picture in marked[:: max(1, len(marked) // BIAS_PICTURES)]:
        faces = [f for f in detect_enlarged(picture, teacher) if iou(f.box_xyxy[None], picture.boxes[:1]) > 0.5]
        if faces:
            offset = faces[0].landmarks_xy - picture.landmarks[0]
            offsets.append(offset @ np.linalg.inv(eye_frame(picture.landmarks[0])))
    return np.mean(offsets, axis=0) if offsets else NO_BIAS


def detect_enlarged(picture: Picture, detector: Detect) -> list[Face]:
    """The faces that `detector` finds in `picture`, in its pixels; small pictures are enlarged for it."""
    zoom = min(4.0, max(1.0, 320 / max(picture.image.shape[:2])))
    enlarged = cv2.resize(picture.image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    return [
        dataclasses.replace(f, box_xyxy=resized(f.box_xyxy, 1 / zoom), landmarks_xy=resized(f.landmarks_xy, 1 / zoom))
        for f in detector([enlarged])[0]
    ]


def eye_frame(landmarks: np.ndarray) -> np.ndarray:
    """(2, 2) rows, from landmarks (5, 2): the vector from the left to the right eye, and the one at 90 degrees to it,
    downwards, of the same length."""
    across, down = landmarks[1] - landmarks[0]
    return np.array([[across, down], [-down, across]])
