"""Look at what a detector hits, misses and imagines: python -m evaluation.detection.sheet --annotations A --images DIR

In:  detector weights (the shipped ones where left out), annotated pictures as in `retinaface/training/annotations.py`.
Out: DIR/hits.png (drawn at random), misses.png (largest faces first), false.png (surest first), all at score 0.5.

In the pictures what was found is yellow, what was annotated is white.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from retinaface.face import Face
from retinaface.metrics import DECISION, match_faces
from retinaface.training.annotations import Picture, chosen_rows, read_pictures
from support import UserError, command, notify, pick_device, run_and_exit, setting
from support.figures import save_figure

FOUND_RGB, MARKED_RGB = (255, 210, 0), (255, 255, 255)
CONTEXT = 2.2  # side of a cut-out, in sides of the box
TILE = 128  # pixels a side of a cut-out


@dataclass
class Settings:
    """Flags of `python -m evaluation.detection.sheet`."""

    annotations: str = setting("", "annotations, one JSON object a line", metavar="FILE.jsonl")
    images: str = setting("", "the folder that their picture names start from", metavar="DIR")
    weights: str = setting("", "detector weights; left out: the shipped ones", metavar="FILE")
    split: str = setting("val", "which of the pictures", choices=["all", "train", "val"])
    source: str = setting("", "only pictures whose name starts with this", metavar="PREFIX")
    count: int = setting(32, "cut-outs a sheet")
    out: str = setting("runs/detector_sheet", "folder of the sheets", metavar="DIR")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


@dataclass(frozen=True, eq=False)
class CutOut:
    """A square part of a picture (TILE, TILE, 3) uint8 RGB, what to order it by, and its caption."""

    image: np.ndarray
    rank: float
    caption: str


def run(settings: Settings) -> int:
    """Parse, detect, draw three sheets."""
    if not settings.annotations or not settings.images:
        raise UserError(
            "--annotations FILE.jsonl and --images DIR are both needed; see retinaface/training/annotations.py."
        )
    from evaluation.sheets import contact_sheet
    from retinaface.detector import RetinaFace

    rows = chosen_rows(settings.annotations, split=settings.split, source=settings.source)
    detector = RetinaFace.from_file(
        settings.weights or None,
        device=pick_device(settings.device),
        score_threshold=DECISION,
        longest_side=None,
    )
    sheets: dict[str, list[CutOut]] = {"hits": [], "misses": [], "false": []}
    rng = np.random.default_rng(0)
    for picture in read_pictures(rows, settings.images):
        for name, cut_outs in cut_outs_of(picture, detector([picture.image])[0], rng).items():
            sheets[name] += cut_outs
    for name, cut_outs in sheets.items():
        best = sorted(cut_outs, key=lambda cut_out: -cut_out.rank)[: settings.count]
        title = f"{name}: {len(best)} of {len(cut_outs)} in {len(rows)} pictures"
        figure = contact_sheet([c.image for c in best], [c.caption for c in best], columns=8, side=1.3, title=title)
        save_figure(figure, Path(settings.out) / f"{name}.png")
    notify(f"{settings.out}: " + ", ".join(f"{len(cut_outs)} {name}" for name, cut_outs in sheets.items()))
    return 0


def cut_outs_of(picture: Picture, found: Sequence[Face], rng: np.random.Generator) -> dict[str, list[CutOut]]:
    """Cut-outs of the hits (in random order), misses (by size) and false faces (by score) of one picture."""
    owner = match_faces(list(found), picture.boxes)
    drawn = picture.image.copy()
    for boxes, colour in ((picture.boxes, MARKED_RGB), ([face.box_xyxy for face in found], FOUND_RGB)):
        for x1, y1, x2, y2 in np.asarray(boxes).round().astype(int).tolist():
            cv2.rectangle(drawn, (x1, y1), (x2, y2), colour, 1)
    sides = (picture.boxes[:, 2:] - picture.boxes[:, :2]).max(axis=1, initial=0)
    missed = sorted(set(range(len(picture.boxes))) - set(owner))
    hits = [face for face, row in zip(found, owner, strict=True) if row >= 0]
    false = [face for face, row in zip(found, owner, strict=True) if row < 0]
    return {
        "hits": [CutOut(cut_out(drawn, f.box_xyxy), rng.random(), f"{f.score:.2f}") for f in hits],
        "misses": [CutOut(cut_out(drawn, picture.boxes[row]), sides[row], f"{sides[row]:.0f} px") for row in missed],
        "false": [CutOut(cut_out(drawn, f.box_xyxy), f.score, f"{f.score:.2f}") for f in false],
    }


def cut_out(image: np.ndarray, box_xyxy: np.ndarray) -> np.ndarray:
    """(TILE, TILE, 3) uint8 around a box, with some of what surrounds it; grey beyond the picture's edge."""
    centre, side = (box_xyxy[:2] + box_xyxy[2:]) / 2, CONTEXT * (box_xyxy[2:] - box_xyxy[:2]).max()
    zoom = TILE / max(side, 1.0)
    corner = centre * zoom - TILE / 2
    matrix = np.array([[zoom, 0, -corner[0]], [0, zoom, -corner[1]]])
    return cv2.warpAffine(image, matrix, (TILE, TILE), flags=cv2.INTER_LINEAR, borderValue=(128, 128, 128))


main = command(Settings, run, prog="python -m evaluation.detection.sheet", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
