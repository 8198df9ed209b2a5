"""Annotated pictures, to train a detector and to score it.

In:  `annotations.jsonl`, one JSON object a line with `image`, `boxes` [[x1, y1, x2, y2]], `landmarks` (for each box
     five [x, y] or null), and where known `split`, `complete`, `ignore`, `box_from` ("hand", or what made the boxes)
     and `gt` (whether the landmarks were set by hand); a folder of pictures.
Out: `Picture` objects.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from retinaface.face import Face
from support import UserError

FARTHEST = 1e6  # pixels from a picture's corner
VALIDATION_PERCENT = 12  # of the pictures whose row names no split

Detect = Callable[[Sequence[np.ndarray]], Sequence[Sequence[Face]]]  # frames (H, W, 3) uint8 RGB -> the faces of each


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and its faces.

    pixels: (B,) uint8, the encoded file, as most stay, since ten thousand decoded ones would take gigabytes; or
        (H, W, 3) uint8 RGB.
    boxes: (M, 4) float32 xyxy; landmarks: (M, 5, 2) float32, NaN where unknown; both in
        pixels. ignore: (K, 4) float32, regions that may or may not hold a face.
    complete: every face has a box. boxes_by_hand, landmarks_by_hand: a person drew the boxes, set the landmarks.
    false_score: of a picture without a face, the highest score that a detector gave anything in it; else 0.
    """

    name: str
    pixels: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    ignore: np.ndarray
    complete: bool
    boxes_by_hand: bool = True
    landmarks_by_hand: bool = True
    false_score: float = 0.0

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, decoded each time; `UserError` where it cannot be."""
        return self.pixels if self.pixels.ndim == 3 else decoded(self.pixels, self.name)


def decoded(encoded: np.ndarray, name: str | Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB of the bytes of a picture's file, (B,) uint8; `UserError` where they are none."""
    try:
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
    except cv2.error:  # of a file without a byte, or of more pixels than OpenCV takes
        image = None
    if image is None:
        raise UserError(f"{name} is not a picture that can be decoded; replace it, or leave it out.")
    return np.asarray(image)


def read_annotations(path: str | Path) -> list[dict]:
    """The lines of `path`; `UserError` with the number of the first line that is not an annotation."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(f"cannot read the annotations {path}: {error.strerror}; name a .jsonl file.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the annotations {path} are not UTF-8 text: {error}; name a .jsonl file.") from error
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            fault = fault_of(row)
        except (ValueError, RecursionError):
            fault = "this is no JSON"
        if fault:
            raise UserError(
                f"{path}, line {number}: wanted a JSON object with image and boxes, got {line[:60]!r}: {fault}."
            )
        rows.append(row)
    return rows


def fault_of(row: Any) -> str:
    """What is wrong with an annotation, read from JSON; "" where nothing is."""
    if not isinstance(row, dict) or not isinstance(row.get("image"), str) or not isinstance(row.get("boxes"), list):
        return "image must be a text, and boxes a list"
    if row.get("split", "train") not in ("train", "val"):
        return 'split must be "train" or "val", or left out'
    if not row["image"] or not row["image"].isprintable():
        return "image must be the name of a file"
    ignore = row.get("ignore") or []
    if not isinstance(ignore, list) or not all(_are_numbers(box, 4) for box in [*row["boxes"], *ignore]):
        return "a box, and a region to ignore, must be four numbers"
    if not all(left < right and top < bottom for left, top, right, bottom in row["boxes"]):
        return "a box must be left, top, right, bottom, and not empty"
    landmarks = row.get("landmarks") or [None] * len(row["boxes"])
    if not isinstance(landmarks, list) or len(landmarks) != len(row["boxes"]):
        return "landmarks must be as many as boxes"
    points = [point for face in landmarks if face for point in (face if isinstance(face, list) else [face])]
    if not all(_are_numbers(point, 2) for point in points) or any(face and len(face) != 5 for face in landmarks):
        return "landmarks must be five pairs of numbers, or null"
    return ""


def _are_numbers(values: Any, count: int) -> bool:
    """`count` finite numbers, as pixels may be?"""
    if not isinstance(values, list) or len(values) != count:
        return False
    return all(type(value) in (int, float) and abs(value) < FARTHEST for value in values)  # never so for NaN


def split_of(row: dict) -> str:
    """As the row says, or where it says nothing by a hash of the name: "train" or "val"."""
    if "split" in row:
        return str(row["split"])
    return "val" if zlib.crc32(row["image"].encode()) % 100 < VALIDATION_PERCENT else "train"


def chosen_rows(path: str | Path, *, split: str = "all", source: str = "") -> list[dict]:
    """The annotations of `path` in `split` whose picture's name starts with `source`; `UserError` where none are."""
    rows = [r for r in read_annotations(path) if r["image"].startswith(source) and split in ("all", split_of(r))]
    if not rows:
        raise UserError(f"no picture of {path} is in split {split!r} of source {source!r}; name others.")
    return rows


def is_face_free(row: dict) -> bool:
    """Is it known that the picture shows no face?"""
    return not row["boxes"] and not row.get("ignore") and row.get("complete", True)


def read_pictures(rows: Iterable[dict], images: str | Path) -> Iterator[Picture]:
    """The pictures of `rows` below `images`, one by one; `UserError` where one is missing."""
    for row in rows:
        path = Path(images) / row["image"]
        try:
            pixels = np.frombuffer(path.read_bytes(), np.uint8)
        except OSError as error:
            raise UserError(f"{path} is annotated but cannot be read: {error.strerror}; check --images.") from error
        points = [p or [[np.nan, np.nan]] * 5 for p in row.get("landmarks") or [None] * len(row["boxes"])]
        complete = bool(row.get("complete", True))
        yield Picture(
            name=row["image"],
            pixels=pixels,
            boxes=np.array(row["boxes"], np.float32).reshape(-1, 4),
            landmarks=np.array(points, np.float32).reshape(-1, 5, 2),
            ignore=np.array(row.get("ignore") or [], np.float32).reshape(-1, 4),
            complete=complete,
            boxes_by_hand=row.get("box_from", "hand" if complete else "landmarks") == "hand",
            landmarks_by_hand=bool(row.get("gt", True)) and any(row.get("landmarks") or []),
        )
