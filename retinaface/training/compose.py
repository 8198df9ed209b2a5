"""Compose scenes of cropped faces: python -m retinaface.training.compose --faces DIR --annotations A --images DIR

In:  a folder of pictures of one face each, as FER+ has them; annotated pictures, of which those without a face are the
     backgrounds; detector weights.
Out: a folder of scenes with six of the faces each, and their `annotations.jsonl`.

A picture of a face that fills it has no surroundings, so a detector learns little from it as it is; in a scene it is a
face like others. Boxes and landmarks are those that the weights find. What they do not find is a face all the same,
most often turned away or covered, which is what there is to learn: it gets the box that faces have on average in their
pictures, and no landmarks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator

from retinaface.detector import RetinaFace
from retinaface.face import Face
from retinaface.training.annotations import Detect, Picture, chosen_rows, decoded, is_face_free, read_pictures
from support import UserError, atomic_write, command, notify, pick_device, run_and_exit, setting

SCENE_HW, GRID = (480, 640), (2, 3)
SIDES = (60, 210)  # pixels of a pasted picture, log-uniform
BLURRED, COLOURED = 0.3, 0.35  # shares of backgrounds out of focus, and of pictures with a cast of colour
FACE_SIDE = 0.4  # of the picture's side, at least: what is smaller is not the face that the picture shows
ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


@dataclass
class Settings:
    """Flags of `python -m retinaface.training.compose`."""

    faces: str = setting("", "folder of pictures of one face each", metavar="DIR")
    annotations: str = setting("", "annotations that have training pictures without a face", metavar="FILE.jsonl")
    images: str = setting("", "the folder that their picture names start from", metavar="DIR")
    weights: str | None = setting(None, "detector weights; left out: the shipped ones", metavar="FILE")
    scenes: int = setting(400, "how many", within=(1, 1e6))
    seed: int = setting(0, "seed of the scenes", within=(0, math.inf))
    out: str = setting("scenes", "where scenes and annotations go", metavar="DIR")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Compose, detect, write."""
    check_places(settings)
    faces = sorted(path for path in Path(settings.faces).glob("*") if path.suffix.lower() in ENDINGS)
    if not faces:
        raise UserError(f"--faces wants a folder of pictures, and {settings.faces!r} holds none; name another.")
    rows = [r for r in chosen_rows(settings.annotations, split="train") if is_face_free(r)]
    if not rows:
        raise UserError(f"{settings.annotations} has no training picture without a face to paste faces on; add some.")
    backgrounds = list(read_pictures(rows, settings.images))
    rng = np.random.default_rng(settings.seed)
    faces = [faces[number] for number in rng.permutation(len(faces))]
    detector = RetinaFace.from_file(settings.weights, device=pick_device(settings.device), imgsz=None)
    found = []
    for number in range(settings.scenes):
        count = GRID[0] * GRID[1]
        scene, squares = compose([faces[(number * count + i) % len(faces)] for i in range(count)], backgrounds, rng)
        name = f"{number:05d}.jpg"
        with atomic_write(Path(settings.out) / name) as temporary:
            temporary.write_bytes(cv2.imencode(".jpg", scene[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 93])[1].tobytes())
        found.append((name, squares, faces_of(scene, squares, detector)))
    with atomic_write(Path(settings.out) / "annotations.jsonl") as temporary, open(temporary, "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in annotated(found))
    pasted = [face for _, _, faces_found in found for face in faces_found]
    notify(f"{settings.out}: {len(found)} scenes, {pasted.count(None)} of {len(pasted)} faces were not found")
    return 0


def check_places(settings: Settings) -> None:
    """`UserError` where a place is missing, or where the scenes would go among what they are made of."""
    given = [settings.faces, settings.annotations, settings.images]
    if not all(given):
        raise UserError("--faces DIR, --annotations FILE.jsonl and --images DIR are all needed.")
    read = [Path(settings.faces), Path(settings.images), Path(settings.annotations).parent]
    if Path(settings.out).resolve() in [place.resolve() for place in read]:
        raise UserError(f"--out {settings.out} is where what is read lies, which would be overwritten; name another.")


def compose(faces: Sequence[Path], backgrounds: Sequence[Picture], rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """A scene (480, 640, 3) uint8 RGB, a face in each cell of the grid, and where they are: (6, 4) xyxy."""
    height, width = SCENE_HW
    background = backgrounds[int(rng.integers(len(backgrounds)))].image
    scene = cv2.resize(background, (width, height), interpolation=cv2.INTER_AREA)
    if rng.random() < BLURRED:
        scene = cv2.GaussianBlur(scene, (0, 0), rng.uniform(3, 20))
    squares = []
    for cell, path in enumerate(faces):
        picture = decoded(np.fromfile(path, np.uint8), path)
        side = int(np.exp(rng.uniform(*np.log(SIDES))))
        corner = rng.uniform(0, [width / GRID[1] - side, height / GRID[0] - side])
        left, top = (corner + [cell % GRID[1] * width / GRID[1], cell // GRID[1] * height / GRID[0]]).astype(int)
        picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
        if rng.random() < COLOURED:
            picture = (picture * rng.uniform(0.75, 1.2, 3)).clip(0, 255).astype(np.uint8)
        scene[top : top + side, left : left + side] = picture
        squares.append([left, top, left + side, top + side])
    return scene, np.array(squares, float)


def faces_of(scene: np.ndarray, squares: np.ndarray, detector: Detect) -> list[Face | None]:
    """For each of the squares the surest face whose middle lies there, if it is as large as the one that it shows."""
    faces: list[Face | None] = [None] * len(squares)
    for face in detector([scene])[0]:  # the surest first
        middle = (face.box_xyxy[:2] + face.box_xyxy[2:]) / 2
        inside = (squares[:, :2] <= middle).all(axis=1) & (middle < squares[:, 2:]).all(axis=1)
        for row in np.flatnonzero(inside):
            if faces[row] is None and face.size >= FACE_SIDE * (squares[row, 2] - squares[row, 0]):
                faces[row] = face
    return faces


def annotated(scenes: Sequence[tuple[str, np.ndarray, list[Face | None]]]) -> Iterator[dict[str, Any]]:
    """The annotation of each scene: its name, the squares of its pictures, the faces that were found there."""
    pairs = [pair for _, squares, faces in scenes for pair in zip(squares, faces, strict=True)]
    places = [(face.box_xyxy - np.tile(s[:2], 2)) / (s[2] - s[0]) for s, face in pairs if face]
    mean = np.mean(places, axis=0) if places else np.array([0.0, 0.0, 1.0, 1.0])
    for name, squares, faces in scenes:
        boxes, landmarks = [], []
        for s, face in zip(squares, faces, strict=True):
            box = face.box_xyxy if face else np.tile(s[:2], 2) + mean * (s[2] - s[0])
            boxes.append(np.round(box.astype(float), 1).tolist())
            landmarks.append(np.round(face.landmarks_xy.astype(float), 1).tolist() if face else None)
        yield {"image": name, "boxes": boxes, "landmarks": landmarks, "gt": False, "complete": True, "split": "train"}


main = command(Settings, run, prog="python -m retinaface.training.compose", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
