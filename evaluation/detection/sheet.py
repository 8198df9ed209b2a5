"""Contact sheets of what a detector hits and misses: python -m evaluation.detection.sheet --annotations A --images DIR

In:  detector weights (left out: the shipped ones), annotated pictures as in retinaface/training/annotations.py.
Out: DIR/hits.png (in random order), misses.png (largest faces first), false_positives.png (highest scores first), all
     at score 0.5. Detections are yellow, annotations white.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evaluation.detection.annotated_pictures import PictureSettings
from evaluation.sheets import contact_sheet
from retinaface.face import Face
from retinaface.metrics import FALSE, SCORE_THRESHOLD, AnnotatedPicture, match_faces
from support import command, notify, run_and_exit, setting
from support.figures import save_figure

DETECTED_RGB, ANNOTATED_RGB = (255, 210, 0), (255, 255, 255)
CONTEXT = 2.2  # side of a cutout, in sides of the box
TILE = 128  # pixels a side of a cutout


@dataclass
class Settings(PictureSettings):
    """Flags of `python -m evaluation.detection.sheet`."""

    split: str = setting("val", "which of the pictures", choices=["all", "train", "val"])
    count: int = setting(32, "cutouts a sheet", within=(1, 10_000))
    out: str = setting("runs/detector_sheet", "folder of the sheets", metavar="DIR")


@dataclass(frozen=True, eq=False)
class Cutout:
    """A square part of a picture (TILE, TILE, 3) uint8 RGB, its caption, and what sheets are sorted by."""

    image: np.ndarray
    sort_key: float
    caption: str


def run(settings: Settings) -> int:
    """Detect, cut out, draw three sheets."""
    rows, detector = settings.rows(), settings.detector(conf=SCORE_THRESHOLD)
    sheets: dict[str, list[Cutout]] = {"hits": [], "misses": [], "false_positives": []}
    rng = np.random.default_rng(0)
    for picture in settings.pictures():
        for name, cutouts in cutouts_of(picture, detector([picture.image])[0], rng).items():
            sheets[name] += cutouts
    for name, cutouts in sheets.items():
        first = sorted(cutouts, key=lambda cutout: -cutout.sort_key)[: settings.count]
        title = f"{name.replace('_', ' ')}: {len(first)} of {len(cutouts)} in {len(rows)} pictures"
        images, captions = [cutout.image for cutout in first], [cutout.caption for cutout in first]
        figure = contact_sheet(images, captions, columns=8, side=1.3, title=title)
        save_figure(figure, Path(settings.out) / f"{name}.png")
    notify(f"{settings.out}: " + ", ".join(f"{len(cutouts)} {name}" for name, cutouts in sheets.items()))
    return 0


def cutouts_of(
    picture: AnnotatedPicture, detections: Sequence[Face], rng: np.random.Generator
) -> dict[str, list[Cutout]]:
    """Cutouts of one picture's hits (sorted at random), misses (by size) and false positives (by score)."""
    matches = match_faces(detections, picture, picture.image.shape[:2])
    drawing = picture.image.copy()
    for boxes, colour in ((picture.boxes, ANNOTATED_RGB), ([face.box_xyxy for face in detections], DETECTED_RGB)):
        for x1, y1, x2, y2 in np.asarray(boxes).round().astype(int).tolist():
            cv2.rectangle(drawing, (x1, y1), (x2, y2), colour, 1)
    sides = (picture.boxes[:, 2:] - picture.boxes[:, :2]).max(axis=1, initial=0)
    missed = sorted(set(range(len(picture.boxes))) - set(matches))
    hits = [face for face, row in zip(detections, matches, strict=True) if row >= 0]
    false = [face for face, row in zip(detections, matches, strict=True) if row == FALSE]
    return {
        "hits": [Cutout(cut_out(drawing, f.box_xyxy), rng.random(), f"{f.score:.2f}") for f in hits],
        "misses": [Cutout(cut_out(drawing, picture.boxes[row]), sides[row], f"{sides[row]:.0f} px") for row in missed],
        "false_positives": [Cutout(cut_out(drawing, f.box_xyxy), f.score, f"{f.score:.2f}") for f in false],
    }


def cut_out(image: np.ndarray, box_xyxy: np.ndarray) -> np.ndarray:
    """(TILE, TILE, 3) uint8 around a box, with some of its surroundings; grey beyond the picture's edge."""
    centre, side = (box_xyxy[:2] + box_xyxy[2:]) / 2, CONTEXT * (box_xyxy[2:] - box_xyxy[:2]).max()
    zoom = TILE / max(side, 1.0)
    corner = centre * zoom - TILE / 2
    matrix = np.array([[zoom, 0, -corner[0]], [0, zoom, -corner[1]]])
    return cv2.warpAffine(image, matrix, (TILE, TILE), flags=cv2.INTER_LINEAR, borderValue=(128, 128, 128))


main = command(Settings, run, prog="python -m evaluation.detection.sheet", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
