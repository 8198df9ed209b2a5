"""Trainings of the detector that take seconds: a few annotated pictures, and flags that keep a run small.

In:  an empty folder, a portrait.
Out: pictures and annotations in it; runs of `python -m retinaface.training` on them, without the figure and the
     export at their end.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from helpers.tiny_runs import run_main
from helpers.tiny_sets import write_lines, write_picture

from retinaface.training.__main__ import main

FLAGS = [
    "--device",
    "cpu",
    "--pixels",
    str(2 * 128 * 128),
    "--sizes",
    "96",
    "128",
    "--workers",
    "0",
    "--warmup",
    "0.07",
]
BOX = [178, 57, 270, 175]
LANDMARKS = [[205, 103], [244, 103], [225, 126], [206, 140], [242, 140]]


def make_annotated(folder: Path, portrait: np.ndarray, *, complete: bool = True) -> Path:
    """Six times `portrait` (one face), and six pictures without a face; the last of each is for validation."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(6):
        split = "val" if number == 5 else "train"
        face = {"boxes": [BOX], "landmarks": [LANDMARKS], "complete": complete, "split": split}
        rows.append({"image": f"lfw/{number}.jpg"} | face)
        rows.append({"image": f"none/{number}.jpg", "boxes": [], "complete": True, "split": split})
        background = cv2.resize(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), (200, 200))
        for row, image in zip(rows[-2:], (portrait, background), strict=True):
            write_picture(folder / str(row["image"]), image[..., ::-1])
    write_lines(folder / "a.jsonl", [json.dumps(row) for row in rows])
    return folder


def files_of(folder: Path) -> list[str]:
    """The flags that name the annotations in `folder`, and its pictures."""
    return ["--annotations", str(folder / "a.jsonl"), "--images", str(folder)]


def run(folder: Path, out: Path, *flags: str, export: bool = False) -> int:
    """A run with small settings, which `flags` override; `export`: with the figure and the .onnx file at the end."""
    return run_main(main, *files_of(folder), "--out", str(out), *FLAGS, *flags, export=export)
