"""Annotate cropped faces with a trained detector: python -m retinaface.training.pseudo_label --images DIR --weights W

In:  a folder of pictures that show one face each and little else, as FER+ does; detector weights.
Out: annotations for `python -m retinaface.training`: one line for each picture in which exactly one face was found.

A detector is not trained on crops that end at the face, so each picture is enlarged and padded with grey first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from retinaface.detector import RetinaFace
from retinaface.face import resized
from retinaface.training.annotations import Detect, read_pictures
from support import UserError, atomic_write, command, notify, pick_device, run_and_exit, setting

SIDE = 192  # pixels to which the shorter side of a crop is enlarged
PADDING = 48  # pixels of grey on every side
SUFFIXES = {".png", ".jpg", ".jpeg"}


@dataclass
class Settings:
    """Flags of `python -m retinaface.training.pseudo_label`."""

    images: str = setting("", "folder of cropped faces", metavar="DIR")
    weights: str = setting(
        "", "detector weights, .safetensors or the public .pth; left out: the shipped ones", metavar="FILE"
    )
    conf: float = setting(0.9, "score threshold", within=(0, 1))
    every: int = setting(1, "take every N-th picture", metavar="N", within=(1, math.inf))
    out: str = setting("annotations.jsonl", "where the annotations go", metavar="FILE.jsonl")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Detect, write the annotations."""
    names = sorted(
        str(p.relative_to(settings.images)) for p in Path(settings.images).rglob("*") if p.suffix.lower() in SUFFIXES
    )
    if not names:
        raise UserError(f"--images {settings.images!r} holds no .png or .jpg; name a folder of cropped faces.")
    device = pick_device(settings.device)
    detector = RetinaFace.from_file(settings.weights or None, device=device, conf=settings.conf, imgsz=None)
    rows = list(pseudo_labels(names[:: settings.every], settings.images, detector))
    with atomic_write(settings.out) as temporary:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in rows))
    notify(f"{settings.out}: {len(rows)} of {len(names[:: settings.every])} pictures")
    return 0


def pseudo_labels(names: Sequence[str], images: str | Path, detector: Detect) -> Iterator[dict]:
    """One annotation for each picture in which exactly one face is found; box and landmarks in its own pixels."""
    for picture in read_pictures(({"image": name, "boxes": []} for name in names), images):
        zoom = SIDE / min(picture.image.shape[:2])
        enlarged = cv2.resize(picture.image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
        padded = np.pad(enlarged, ((PADDING, PADDING), (PADDING, PADDING), (0, 0)), constant_values=110)
        faces = detector([padded])[0]
        if len(faces) == 1:
            box = resized(faces[0].box_xyxy - PADDING, 1 / zoom)
            landmarks = resized(faces[0].landmarks_xy - PADDING, 1 / zoom)
            face = {"boxes": [np.round(box, 1).tolist()], "landmarks": [np.round(landmarks, 1).tolist()]}
            yield {"image": picture.name, **face, "gt": False, "complete": False, "split": "train"}


main = command(Settings, run, prog="python -m retinaface.training.pseudo_label", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
