"""Annotate a folder of cropped faces with detector weights: python -m retinaface.training.pseudo_label --images DIR --weights W

In:  a folder of pictures that show one face each and little else (FER+ is one), detector weights.
Out: an annotations file as `retinaface.training.__main__` reads it: one line a picture in which the face was found surely.

A crop that ends at the face is unlike anything a detector was trained on, so each picture is enlarged and laid in the
middle of a grey frame before it is searched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from retinaface.detector import RetinaFace
from retinaface.face import resized
from retinaface.training.annotations import read_pictures
from support import UserError, atomic_write, command, notify, pick_device, run_and_exit, setting

SIDE = 192  # pixels to which the shorter side of a crop is enlarged
FRAME = 48  # pixels of grey on every side
SUFFIXES = {".png", ".jpg", ".jpeg"}


@dataclass
class Settings:
    """Flags of `python -m retinaface.training.pseudo_label`."""

    images: str = setting("", "folder of cropped faces", metavar="DIR")
    weights: str = setting(
        "", "detector weights, .safetensors or the public .pth; left out: the shipped ones", metavar="FILE"
    )
    conf: float = setting(0.9, "faces the weights are less sure of are left out")
    every: int = setting(1, "take every so many-th picture")
    out: str = setting("annotations.jsonl", "where the annotations go", metavar="FILE.jsonl")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Parse, detect, write."""
    names = sorted(
        str(p.relative_to(settings.images)) for p in Path(settings.images).rglob("*") if p.suffix.lower() in SUFFIXES
    )
    if not names:
        raise UserError(f"--images {settings.images!r} holds no .png or .jpg; name a folder of cropped faces.")
    detector = RetinaFace.from_file(
        settings.weights or None, device=pick_device(settings.device), score_threshold=settings.conf, longest_side=None
    )
    rows = list(annotations(names[:: settings.every], settings.images, detector))
    with atomic_write(settings.out) as temporary:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in rows))
    notify(f"{settings.out}: {len(rows)} of {len(names[:: settings.every])} pictures")
    return 0


def annotations(names: list[str], images: str | Path, detector: RetinaFace) -> Iterator[dict]:
    """One dict for each picture in which exactly one face is found; box and landmarks in the picture's own pixels."""
    for picture in read_pictures(({"image": name, "boxes": []} for name in names), images):
        zoom = SIDE / min(picture.image.shape[:2])
        enlarged = cv2.resize(picture.image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
        frame = cv2.copyMakeBorder(enlarged, *[FRAME] * 4, cv2.BORDER_CONSTANT, value=(110, 110, 110))
        faces = detector([frame])[0]
        if len(faces) == 1:
            box = resized(faces[0].box_xyxy - FRAME, 1 / zoom)
            landmarks = resized(faces[0].landmarks_xy - FRAME, 1 / zoom)
            yield {
                "image": picture.name,
                "boxes": [np.round(box, 1).tolist()],
                "landmarks": [np.round(landmarks, 1).tolist()],
                "gt": False,
                "complete": False,
                "split": "train",
            }


main = command(Settings, run, prog="python -m retinaface.training.pseudo_label", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
