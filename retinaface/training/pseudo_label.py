"""Label pictures with a trained detector: python -m retinaface.training.pseudo_label --annotations A --images DIR

In:  annotated pictures; detector weights.
Out: pseudo-labels for `python -m retinaface.training --labels`, one JSON object a line: `image`, and `boxes`, `scores`
     and `landmarks` of all faces found, also of doubtful ones. Labels of any other detector work the same.

What such labels add to annotations, in `with_pseudo_labels`: faces that nobody boxed, landmarks that no person set, and
regions where the detector is not sure, which then count as neither face nor background. A face without a box would
train the detector not to find it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from retinaface.anchors import iou
from retinaface.detector import RetinaFace
from retinaface.face import Face, resized
from retinaface.training.annotations import Detect, Picture, read_annotations, read_pictures
from support import UserError, atomic_write, command, notify, pick_device, run_and_exit, setting

SURE, LIKELY, DOUBTFUL = 0.5, 0.3, 0.12  # least scores: a face; a face where a box agrees; to be ignored
SAME_FACE_IOU, OTHER_FACE_IOU = 0.45, 0.3  # at least, and at most
ENLARGED_TO = 320  # pixels of the longer side to which small pictures are enlarged for the search


@dataclass(frozen=True, eq=False)
class Labels:
    """What a detector says of one picture: boxes (D, 4) xyxy, scores (D,), landmarks (D, 5, 2), in its pixels."""

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray


@dataclass
class Settings:
    """Flags of `python -m retinaface.training.pseudo_label`."""

    annotations: str = setting("", "annotations whose pictures are labelled", metavar="FILE.jsonl")
    images: str = setting("", "the folder that their picture names start from", metavar="DIR")
    weights: str | None = setting(None, "detector weights; left out: the shipped ones", metavar="FILE")
    out: str = setting("labels.jsonl", "where the labels go", metavar="FILE.jsonl")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Detect, write the labels."""
    if not settings.annotations or not settings.images:
        raise UserError("--annotations FILE.jsonl and --images DIR are both needed.")
    if Path(settings.out).resolve() == Path(settings.annotations).resolve():
        raise UserError(f"--out {settings.out} would overwrite the annotations; name another file.")
    device = pick_device(settings.device)
    detector = RetinaFace.from_file(settings.weights, device=device, conf=DOUBTFUL, imgsz=None)
    rows = read_annotations(settings.annotations)
    with atomic_write(settings.out) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for picture in read_pictures(rows, settings.images):
            file.write(json.dumps(row_of(picture.name, detect_enlarged(picture.image, detector))) + "\n")
    notify(f"{settings.out}: {len(rows)} pictures")
    return 0


def row_of(name: str, faces: Iterable[Face]) -> dict:
    """The line of one picture: tenths of a pixel, thousandths of a score."""
    faces = list(faces)
    return {
        "image": name,
        "boxes": [np.round(face.box_xyxy.astype(float), 1).tolist() for face in faces],
        "scores": [round(face.score, 3) for face in faces],
        "landmarks": [np.round(face.landmarks_xy.astype(float), 1).tolist() for face in faces],
    }


def read_labels(path: str | Path) -> Iterator[tuple[str, Labels]]:
    """Picture names and their labels; `UserError` with the number of the first line that holds none."""
    for number, row in enumerate(read_annotations(path), 1):
        try:
            boxes = np.array(row["boxes"], np.float32).reshape(-1, 4)
            labels = Labels(
                boxes,
                np.array(row["scores"], np.float32).reshape(len(boxes)),
                np.array(row["landmarks"], np.float32).reshape(len(boxes), 5, 2),
            )
            if not ((labels.scores >= 0) & (labels.scores <= 1)).all():  # nor is it so of NaN
                raise ValueError("a score outside 0 to 1")
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(
                f"{path}, line {number}: wanted as many scores, from 0 to 1, and landmarks as boxes: {error}."
            ) from error
        yield row["image"], labels


def with_pseudo_labels(picture: Picture, labels: Labels) -> Picture:
    """`picture` with what `labels` add.

    Boxes that a person drew stay; what else the labels are sure of is a face where the picture is not complete, and
    ignored where it is. Other boxes are replaced: a face is what the labels are sure of, or find likely where there is
    a box; the rest is ignored. Landmarks that no person set come from the labels. A picture without a face keeps the
    highest score as its `false_score`.
    """
    if picture.complete and not len(picture.boxes) and not len(picture.ignore):
        return dataclasses.replace(picture, false_score=float(labels.scores.max(initial=0)))
    overlap = iou(picture.boxes, labels.boxes)  # (M, D)
    agrees = overlap.max(axis=1, initial=0) > SAME_FACE_IOU  # of each box
    if picture.boxes_by_hand:
        new = overlap.max(axis=0, initial=0) < OTHER_FACE_IOU  # of each label
        added = new & (labels.scores >= SURE) & (not picture.complete)
        doubtful = new & ~added & (labels.scores >= LIKELY)
        kept = np.full(len(picture.boxes), True)
    else:
        added = (labels.scores >= SURE) | ((labels.scores >= LIKELY) & (overlap.max(axis=0, initial=0) > SAME_FACE_IOU))
        doubtful = ~added & (labels.scores >= DOUBTFUL)
        kept = np.full(len(picture.boxes), False)
    own, added_landmarks = picture.landmarks.copy(), labels.landmarks[added].copy()
    unset = np.isnan(own).any(axis=(1, 2)) | (not picture.landmarks_by_hand)
    if len(labels.boxes):
        nearest = overlap.argmax(axis=1)
        own[unset & agrees] = labels.landmarks[nearest[unset & agrees]]
    if len(picture.boxes):  # landmarks set by hand move on to the label that replaces their box
        row = overlap[:, added].argmax(axis=0)
        same = (overlap[:, added].max(axis=0, initial=0) > SAME_FACE_IOU) & ~unset[row]
        added_landmarks[same] = own[row[same]]
    boxes = np.concatenate([picture.boxes[kept], labels.boxes[added]])
    ignore = np.concatenate([picture.ignore, labels.boxes[doubtful], picture.boxes[~kept & ~agrees]])
    ignore = ignore[iou(ignore, boxes).max(axis=1, initial=0) < SAME_FACE_IOU]
    landmarks = np.concatenate([own[kept], added_landmarks])
    return dataclasses.replace(picture, boxes=boxes, landmarks=landmarks, ignore=ignore)


def detect_enlarged(image: np.ndarray, detector: Detect) -> list[Face]:
    """The faces that `detector` finds in `image` (H, W, 3) uint8 RGB, in its pixels; a small one is enlarged for it."""
    zoom = min(4.0, max(1.0, ENLARGED_TO / max(image.shape[:2])))
    enlarged = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    return [
        dataclasses.replace(f, box_xyxy=resized(f.box_xyxy, 1 / zoom), landmarks_xy=resized(f.landmarks_xy, 1 / zoom))
        for f in detector([enlarged])[0]
    ]


main = command(Settings, run, prog="python -m retinaface.training.pseudo_label", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
