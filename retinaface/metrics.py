"""Detection metrics: average precision, recall, false positives and landmark error over a set of pictures.

In:  pictures with annotated boxes and landmarks, a detector (frames -> faces).
Out: `Scores` over all faces, or by their size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from retinaface.anchors import iou
from retinaface.face import Face
from support.metrics import average_precision

if TYPE_CHECKING:
    from retinaface.training.annotations import Picture

LOWEST_SCORE = 0.002  # detections below it move no curve that anyone would use
DECISION = 0.5
MATCH_IOU = 0.5
SIZE_BINS = ((0, 24), (24, 48), (48, 96), (96, 192), (192, float("inf")))  # pixels, longer side of the box


@dataclass(frozen=True)
class Scores:
    """Figures of one set; ap, recall and landmark_error are None where there is nothing to measure."""

    ap: float | None
    recall: float | None
    false_positives: int
    landmark_error: float | None
    faces: int
    images: int


@dataclass(frozen=True, eq=False)
class Matched:
    """Detections of a set against its faces.

    scores (D,) and hits (D,) int: the matched face's index, -1 where it hit none; sizes (F,) pixels of all faces;
    landmark_errors (F,) float, NaN where unknown or not found.
    """

    scores: np.ndarray
    hits: np.ndarray
    sizes: np.ndarray
    landmark_errors: np.ndarray
    images: int


def match_pictures(pictures: Iterable[Picture], detector, *, min_size: float = 0.0) -> Matched:
    """Run `detector` (frames -> faces) over the pictures and match what it finds, best score first."""
    scores, hits, sizes, errors, images = [], [], [], [], 0
    for picture in pictures:
        images += 1
        found = detector([picture.image])[0]
        sides = (picture.boxes[:, 2:] - picture.boxes[:, :2]).max(axis=1, initial=0)
        counts = sides >= min_size
        index = np.cumsum(counts) - 1 + len(sizes)  # a face's place among all faces that count
        owner = match_faces(found, picture.boxes)
        new_errors = np.full(int(counts.sum()), np.nan)
        for face, row in zip(found, owner, strict=True):
            if row >= 0 and not counts[row]:
                continue
            scores.append(face.score)
            hits.append(index[row] if row >= 0 else -1)
            if row >= 0:
                new_errors[index[row] - len(sizes)] = landmark_error(face.landmarks_xy, picture.landmarks[row])
        sizes.extend(sides[counts])
        errors.extend(new_errors)
    return Matched(np.array(scores), np.array(hits, int), np.array(sizes), np.array(errors), images)


def match_faces(found: list[Face], boxes: np.ndarray) -> list[int]:
    """For each detection, best score first, the row of the box (M, 4) it hits; -1 for none, or one already hit."""
    overlap = iou(np.stack([f.box_xyxy for f in found]), boxes) if found and len(boxes) else np.zeros((len(found), 1))
    owner, taken = [], set()
    for row in overlap:
        best = int(row.argmax())
        hit = row[best] >= MATCH_IOU and best not in taken
        owner.append(best if hit else -1)
        taken.add(best if hit else None)
    return owner


def landmark_error(found: np.ndarray, marked: np.ndarray) -> float:
    """Mean distance of five landmarks (5, 2) as a share of the distance between the marked eyes; NaN if unmarked."""
    return float(np.linalg.norm(found - marked, axis=1).mean() / np.linalg.norm(marked[1] - marked[0]))


def scores_of(matched: Matched, *, sizes: tuple[float, float] = (0, float("inf"))) -> Scores:
    """The figures over all faces, or over those whose size lies in the half-open range `sizes`.

    A detection that hits no face counts against every range: its size says nothing of a face that is not there.
    """
    counts = (matched.sizes >= sizes[0]) & (matched.sizes < sizes[1])
    hit = matched.hits >= 0
    relevant = ~hit | counts[matched.hits] if len(counts) else ~hit
    scores, hit = matched.scores[relevant], hit[relevant]
    faces = int(counts.sum())
    errors = matched.landmark_errors[counts]
    return Scores(
        ap=average_precision(scores, hit, faces) if faces else None,
        recall=float((hit & (scores >= DECISION)).sum() / faces) if faces else None,
        false_positives=int((~hit & (scores >= DECISION)).sum()),
        landmark_error=float(np.nanmean(errors)) if np.isfinite(errors).any() else None,
        faces=faces,
        images=matched.images,
    )


def scores_by_size(matched: Matched) -> dict[str, dict]:
    """The figures for each of `SIZE_BINS`, by a name such as "24-48"."""
    return {f"{low:g}-{high:g}": asdict(scores_of(matched, sizes=(low, high))) for low, high in SIZE_BINS}
