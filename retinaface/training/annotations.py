"""Annotated pictures for training and scoring a detector.

In:  `annotations.jsonl`, one JSON object a line with `image`, `boxes` [[x1, y1, x2, y2]], `landmarks` (per box five
     [x, y] or null), and where known `split`, `complete`, `valid` and `gt` (whether the landmarks were set by hand); a
     folder of pictures.
Out: `Picture` objects, decoded.

A face that nobody boxed teaches a detector not to see it. Where a picture is not `complete`, a teacher (any detector
weights) finds such faces: sure ones join the boxes, doubtful ones become regions that neither help nor hurt. It also
sets the landmarks that no hand has set, less what it is off by on average where one has: the public weights set each
0.010 to 0.025 eye distances to the right of and below LFW's hand marks. Half a pixel is convention:
what they say of a mirrored picture shows that they count from the corner of the first pixel, not from its middle.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from retinaface.anchors import iou
from retinaface.face import Face, resized
from support import UserError

UNSPLIT_SOURCES = ("mask853", "neg_clothing", "neg_imagenet")  # of faces.tar: all their pictures are marked "train"
HELD_OUT_PERCENT = 12  # of these
SURE, DOUBTFUL = 0.85, 0.08  # teacher's scores
SAME_FACE = 0.3  # IoU
NO_BIAS = np.zeros((5, 2))
HABIT_PICTURES, HABIT_SIDE = 800, 200  # a teacher's habit is measured from about so many, so many pixels large or more


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture and its faces.

    image: (H, W, 3) uint8 RGB.
    boxes: (M, 4) float32 xyxy; landmarks: (M, 5, 2) float32, NaN where unknown; both in pixels.
    ignore: (K, 4) float32, regions that may or may not hold a face.
    valid: (4,) float32 xyxy, the part of the picture that is a photograph.
    complete: every face is boxed.
    by_hand: its landmarks were set by hand.
    """

    name: str
    image: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    ignore: np.ndarray
    valid: np.ndarray
    complete: bool
    by_hand: bool = True


def read_annotations(path: str | Path) -> list[dict]:
    """The lines of `path`; `UserError` with the line's number where one is not an annotation."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"cannot read the annotations {path}: {error.strerror}; name a .jsonl file.") from error
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            row["image"], row["boxes"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}, line {number}: wanted a JSON object with image and boxes, got {line[:60]!r}."
            ) from error
        rows.append(row)
    return rows


def split_of(row: dict) -> str:
    """ "train" or "val": as the row says, or for sources without a validation part by a hash of the name."""
    if row.get("split") == "val":
        return "val"
    if row["image"].split("/")[0] not in UNSPLIT_SOURCES:
        return "train"
    return "val" if zlib.crc32(row["image"].encode()) % 100 < HELD_OUT_PERCENT else "train"


def chosen_rows(path: str | Path, *, split: str = "all", source: str = "") -> list[dict]:
    """The annotations of `path` that are of a split ("all": of any) and whose picture's name starts with `source`."""
    rows = [row for row in read_annotations(path) if row["image"].startswith(source)]
    rows = [row for row in rows if split in ("all", split_of(row))]
    if not rows:
        raise UserError(f"no picture of {path} is in split {split!r} of source {source!r}.")
    return rows


def read_pictures(rows: list[dict], images: str | Path) -> Iterator[Picture]:
    """Decode the pictures of `rows` below the folder `images`, one after the other."""
    for row in rows:
        path = Path(images) / row["image"]
        try:
            bgr = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        except OSError as error:
            raise UserError(f"{path} is annotated but cannot be read: {error.strerror}.") from error
        if bgr is None:
            raise UserError(f"{path} is annotated but is not a picture that can be decoded.")
        height, width = bgr.shape[:2]
        points = [p or [[np.nan, np.nan]] * 5 for p in row.get("landmarks") or [None] * len(row["boxes"])]
        yield Picture(
            name=row["image"],
            image=cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB),
            boxes=np.array(row["boxes"], np.float32).reshape(-1, 4),
            landmarks=np.array(points, np.float32).reshape(-1, 5, 2),
            ignore=np.empty((0, 4), np.float32),
            valid=np.array(row.get("valid") or [0, 0, width, height], np.float32),
            complete=bool(row.get("complete", True)),
            by_hand=bool(row.get("gt", True)),
        )


def taught(picture: Picture, teacher, habit: np.ndarray = NO_BIAS) -> Picture:
    """`picture` with what `teacher` (a `RetinaFace` at a threshold of `DOUBTFUL`) adds.

    Faces without landmarks set by hand take those of the teacher's face in the same place, less its `habit`. In a
    picture that is not complete, faces nobody boxed join the boxes, or the regions to ignore where the teacher is in
    doubt.
    """
    boxes, landmarks, ignore = list(picture.boxes), picture.landmarks.copy(), list(picture.ignore)
    unset = np.isnan(landmarks).any(axis=(1, 2)) | (not picture.by_hand)
    extra = []
    for face in faces_seen(picture, teacher):
        points = face.landmarks_xy - habit @ eye_frame(face.landmarks_xy)
        overlap = iou(face.box_xyxy[None], picture.boxes)[0] if len(picture.boxes) else np.zeros(1)
        if overlap.max() > SAME_FACE:
            row = overlap.argmax()
            if unset[row]:
                landmarks[row], unset[row] = points, False  # later ones are less sure
        elif not picture.complete and face.score >= SURE:
            boxes.append(face.box_xyxy)
            extra.append(points)
        elif not picture.complete:
            ignore.append(face.box_xyxy)
    return dataclasses.replace(
        picture,
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        landmarks=np.concatenate([landmarks, np.array(extra, np.float32).reshape(-1, 5, 2)]),
        ignore=np.array(ignore, np.float32).reshape(-1, 4),
    )


def landmark_bias_of(teacher, pictures: Sequence[Picture]) -> np.ndarray:
    """(5, 2): where `teacher` sets each landmark beside the hand's mark, in the face's `eye_frame`, on average.

    Small crops are left out: there half a pixel more or less, as conventions differ by, is much.
    """
    large = [p for p in pictures if p.by_hand and len(p.boxes) and min(p.image.shape[:2]) >= HABIT_SIDE]
    marked = [p for p in large if np.isfinite(p.landmarks[0]).all()]
    offsets = []
    for picture in marked[:: max(1, len(marked) // HABIT_PICTURES)]:
        faces = [f for f in faces_seen(picture, teacher) if iou(f.box_xyxy[None], picture.boxes[:1]) > 0.5]
        if faces:
            off = faces[0].landmarks_xy - picture.landmarks[0]
            offsets.append(off @ np.linalg.inv(eye_frame(picture.landmarks[0])))
    return np.mean(offsets, axis=0) if offsets else NO_BIAS


def faces_seen(picture: Picture, teacher) -> list[Face]:
    """What `teacher` finds in `picture`, in its pixels; small crops are enlarged: it needs 16 pixels to see a face."""
    zoom = min(4.0, max(1.0, 320 / max(picture.image.shape[:2])))
    enlarged = cv2.resize(picture.image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    return [
        dataclasses.replace(f, box_xyxy=resized(f.box_xyxy, 1 / zoom), landmarks_xy=resized(f.landmarks_xy, 1 / zoom))
        for f in teacher([enlarged])[0]
    ]


def eye_frame(landmarks: np.ndarray) -> np.ndarray:
    """(2, 2) rows: from the left eye to the right one, and as far at a right angle to it, downwards."""
    across, down = landmarks[1] - landmarks[0]
    return np.array([[across, down], [-down, across]])
