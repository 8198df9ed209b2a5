"""Detection metrics: average precision, recall, false positives and landmark error over a set of pictures.

In:  pictures with annotated boxes, landmarks and regions to ignore, a detector (frames -> faces).
Out: `Scores` over all faces, or over those of a size or a brightness.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from retinaface.anchors import iou
from retinaface.face import Detector, Face
from support.metrics import average_precision

LOWEST_SCORE = 0.002  # the detector's score threshold while average precision is measured
SCORE_THRESHOLD = 0.5  # recall and false positives are counted at this score
MATCH_IOU = 0.5
SIZE_BINS = ((0, 24), (24, 48), (48, 96), (96, 192), (192, float("inf")))  # pixels, longer side of the box
LUMINANCE_BINS = ((0, 70), (70, 140), (140, 256))  # mean grey level of the box, 0 to 255: dark, middling, bright
FALSE, IGNORED = -1, -2  # instead of a matched face


class AnnotatedPicture(Protocol):
    """What is needed of a picture to score it; `retinaface.training.annotations.Picture` is one."""

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""

    @property
    def boxes(self) -> np.ndarray:
        """(M, 4) float32 xyxy, pixels."""

    @property
    def landmarks(self) -> np.ndarray:
        """(M, 5, 2) float32, pixels; NaN where unknown."""

    @property
    def ignore(self) -> np.ndarray:
        """(K, 4) float32 xyxy, pixels: regions that may or may not be a face."""


@dataclass(frozen=True)
class Scores:
    """Metrics of one set; ap, recall and landmark_error are None where there is nothing to measure."""

    ap: float | None
    recall: float | None
    false_positives: int
    landmark_error: float | None
    faces: int
    images: int


@dataclass(frozen=True, eq=False)
class Matches:
    """The D detections in a set of pictures, matched to its F faces.

    scores (D,) float; rows (D,) int: the face that a detection matches, or `FALSE`; sizes (F,) float: longer sides in
    pixels; luminances (F,) float: mean grey level of the box, 0 to 255; landmark_errors (F,) float: NaN where unknown
    or not detected.
    """

    scores: np.ndarray
    rows: np.ndarray
    sizes: np.ndarray
    luminances: np.ndarray
    landmark_errors: np.ndarray
    images: int


def match_pictures(pictures: Iterable[AnnotatedPicture], detector: Detector) -> Matches:
    """Run `detector` over the pictures and match its detections to the faces, best score first.

    A detection that matches no face but a region to ignore is left out.
    """
    detected: list[tuple[float, int]] = []  # score, matched face
    annotated: list[tuple[float, float, float]] = []  # size, luminance, landmark error
    images = 0
    for picture in pictures:
        images += 1
        image = picture.image
        detections = detector([image])[0]
        sides = (picture.boxes[:, 2:] - picture.boxes[:, :2]).max(axis=1, initial=0)
        errors = np.full(len(sides), np.nan)
        for face, row in zip(detections, match_faces(detections, picture, image.shape[:2]), strict=True):
            if row != IGNORED:
                detected.append((face.score, row if row == FALSE else len(annotated) + row))
            if row >= 0:
                errors[row] = landmark_error(face.landmarks_xy, picture.landmarks[row])
        luminances = [luminance_of(image, box) for box in picture.boxes]
        annotated.extend(zip(sides, luminances, errors, strict=True))
    scores, rows = np.array(detected, float).reshape(-1, 2).T
    sizes, luminance, landmark_errors = np.array(annotated, float).reshape(-1, 3).T
    return Matches(scores, rows.astype(int), sizes, luminance, landmark_errors, images)


def luminance_of(image: np.ndarray, box_xyxy: np.ndarray) -> float:
    """Mean grey level, 0 to 255 (Rec. 601), of the part of (H, W, 3) uint8 RGB in the box; NaN where there is none."""
    left, top, right, bottom = np.round(box_xyxy).astype(int).clip(0)
    part = image[top:bottom, left:right]
    return float(part.mean(axis=(0, 1)) @ [0.299, 0.587, 0.114]) if part.size else float("nan")


def match_faces(detections: Sequence[Face], picture: AnnotatedPicture, size_hw: Sequence[int]) -> list[int]:
    """For each detection, best score first, the row of the box (M, 4) that it matches, `IGNORED` or `FALSE`.

    A box matches once; a region to ignore may match often. Only what lies in the picture, of size_hw, counts: some
    annotate, and some detectors find, the whole of a face that reaches out of it, others the part that can be seen.
    """
    if not detections:
        return []
    frame = np.tile(size_hw[::-1], 2)
    found = np.stack([face.box_xyxy for face in detections]).clip(0, frame)
    boxes, ignore = picture.boxes.clip(0, frame), picture.ignore.clip(0, frame)
    may_be = iou(found, ignore).max(axis=1, initial=0) >= MATCH_IOU
    matches: list[int] = []
    for overlaps, ignored in zip(iou(found, boxes), may_be, strict=True):
        best = int(overlaps.argmax()) if len(boxes) else 0
        if overlaps.max(initial=0) >= MATCH_IOU and best not in matches:
            matches.append(best)
        else:
            matches.append(IGNORED if ignored else FALSE)
    return matches


def landmark_error(detected: np.ndarray, annotated: np.ndarray) -> float:
    """Mean distance of five landmarks (5, 2) as a share of the distance between the annotated eyes; NaN at 0."""
    eye_distance = np.linalg.norm(annotated[1] - annotated[0])
    return float(np.linalg.norm(detected - annotated, axis=1).mean() / eye_distance) if eye_distance else math.nan


def scores_of(matches: Matches, chosen: np.ndarray | None = None) -> Scores:
    """Metrics over all faces, or over the `chosen` ones, (F,) bool; detections that match others are left out.

    A false positive counts whichever are chosen: the size and brightness of a face that is not there are not known.
    """
    chosen = np.full(len(matches.sizes), True) if chosen is None else chosen
    hits = matches.rows >= 0
    relevant = ~hits
    relevant[hits] = chosen[matches.rows[hits]]
    scores, hits = matches.scores[relevant], hits[relevant]
    faces = int(chosen.sum())
    errors = matches.landmark_errors[chosen]
    return Scores(
        ap=average_precision(scores, hits, faces=faces) if faces else None,
        recall=float((hits & (scores >= SCORE_THRESHOLD)).sum() / faces) if faces else None,
        false_positives=int((~hits & (scores >= SCORE_THRESHOLD)).sum()),
        landmark_error=float(np.nanmean(errors)) if np.isfinite(errors).any() else None,
        faces=faces,
        images=matches.images,
    )


def scores_by(
    matches: Matches, values: np.ndarray, bins: Sequence[tuple[float, float]], *, chosen: np.ndarray
) -> dict[str, dict]:
    """Metrics of the `chosen` faces, (F,) bool, for each half-open range of their `values`, by a name as "24-48"."""
    return {
        f"{low:g}-{high:g}": asdict(scores_of(matches, chosen & (values >= low) & (values < high)))
        for low, high in bins
    }
