"""Detection metrics: average precision, recall, false positives and landmark error over a set of pictures.

In:  pictures with annotated boxes and landmarks, a detector (frames -> faces).
Out: `Scores` over all faces, or by their size.
"""

from __future__ import annotations

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
    """The detections in a set of pictures, matched to its faces.

    scores (D,) float; matched_sizes (D,) float: the size in pixels of the matched face, NaN for a false positive;
    sizes (F,) float: of all faces; landmark_errors (F,) float: NaN where unknown or not detected.
    """

    scores: np.ndarray
    matched_sizes: np.ndarray
    sizes: np.ndarray
    landmark_errors: np.ndarray
    images: int


def match_pictures(pictures: Iterable[AnnotatedPicture], detector: Detector, *, min_size: float = 0.0) -> Matches:
    """Run `detector` over the pictures and match its detections to the faces, best score first.

    min_size: faces whose longer side is shorter (pixels), and detections that match them, are left out.
    """
    detected: list[tuple[float, float]] = []  # score, size of the matched face
    annotated: list[tuple[float, float]] = []  # size, landmark error
    images = 0
    for picture in pictures:
        images += 1
        detections = detector([picture.image])[0]
        sides = (picture.boxes[:, 2:] - picture.boxes[:, :2]).max(axis=1, initial=0)
        errors = np.full(len(sides), np.nan)
        for face, row in zip(detections, match_faces(detections, picture.boxes), strict=True):
            detected.append((face.score, sides[row] if row >= 0 else np.nan))
            if row >= 0:
                errors[row] = landmark_error(face.landmarks_xy, picture.landmarks[row])
        annotated.extend(zip(sides, errors, strict=True))
    scores, matched_sizes = np.array(detected, float).reshape(-1, 2).T
    sizes, landmark_errors = np.array(annotated, float).reshape(-1, 2).T
    kept, faces = ~(matched_sizes < min_size), sizes >= min_size
    return Matches(scores[kept], matched_sizes[kept], sizes[faces], landmark_errors[faces], images)


def match_faces(detections: Sequence[Face], boxes: np.ndarray) -> list[int]:
    """For each detection, best score first, the row of the box (M, 4) that it matches, or -1; a box matches once."""
    if not detections or not len(boxes):
        return [-1] * len(detections)
    matches: list[int] = []
    for overlaps in iou(np.stack([face.box_xyxy for face in detections]), boxes):
        best = int(overlaps.argmax())
        matches.append(best if overlaps[best] >= MATCH_IOU and best not in matches else -1)
    return matches


def landmark_error(detected: np.ndarray, annotated: np.ndarray) -> float:
    """Mean distance of five landmarks (5, 2) as a share of the distance between the annotated eyes; NaN without."""
    eye_distance = np.linalg.norm(annotated[1] - annotated[0])
    return float(np.linalg.norm(detected - annotated, axis=1).mean() / eye_distance)


def scores_of(matches: Matches, *, sizes: tuple[float, float] = (0, float("inf"))) -> Scores:
    """Metrics over all faces, or over those whose size lies in the half-open range `sizes`.

    A false positive counts in every range: the size of a face that is not there is not known.
    """
    matched = matches.matched_sizes
    counts, hits = ((these >= sizes[0]) & (these < sizes[1]) for these in (matches.sizes, matched))
    relevant = hits | np.isnan(matched)
    scores, hits = matches.scores[relevant], hits[relevant]
    faces = int(counts.sum())
    errors = matches.landmark_errors[counts]
    return Scores(
        ap=average_precision(scores, hits, faces=faces) if faces else None,
        recall=float((hits & (scores >= SCORE_THRESHOLD)).sum() / faces) if faces else None,
        false_positives=int((~hits & (scores >= SCORE_THRESHOLD)).sum()),
        landmark_error=float(np.nanmean(errors)) if np.isfinite(errors).any() else None,
        faces=faces,
        images=matches.images,
    )


def scores_by_size(matches: Matches) -> dict[str, dict]:
    """Metrics for each of `SIZE_BINS`, by a name such as "24-48"."""
    return {f"{low:g}-{high:g}": asdict(scores_of(matches, sizes=(low, high))) for low, high in SIZE_BINS}
