"""The accuracy that cropping costs: python -m evaluation.classification.through_pipeline --data-path DIR

In:  a data set of cropped faces (FER+), the detector and classifier.
Out: JSON: does a live crop look to the network like a training picture? Every picture is classified directly, and again
     after it was enlarged, pasted into a larger scene, detected, aligned and cropped by the whole pipeline. With
     --template instead: the mean place of the landmarks in the pictures, which is `models.preprocess.CROP_TEMPLATE`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from data.face_set import FaceSet
from evaluation.classification.scores import class_columns
from evaluation.commands import SplitSettings
from pipeline.options import PredictOptions
from pipeline.run import EmotionPipeline
from retinaface.face import Detector, Face
from retinaface.training.geometry import MIRRORED_LANDMARKS
from support import UserError, command, notify, pick_device, run_and_exit, setting, write_json

SCENE_HW = (480, 640)
GRID = (2, 3)  # faces a scene: rows, columns
SIDES = (90, 200)  # pixels of a pasted picture
TEMPLATE_FACES = 3000


@dataclass
class Settings(SplitSettings):
    """Flags of `python -m evaluation.classification.through_pipeline`."""

    weights: str | None = setting(None, "emotion checkpoint (default: the shipped one)", metavar="FILE")
    detector_weights: str | None = setting(None, "detector weights (default: the shipped ones)", metavar="FILE")
    template: bool = setting(False, f"print the mean landmarks of {TEMPLATE_FACES:,} training pictures instead")
    limit: int | None = setting(None, "use only the first so many pictures", metavar="N", within=(1, 1e9))
    out: str = setting("", "also write the JSON here", metavar="FILE.json")


@dataclass(frozen=True, eq=False)
class Scene:
    """image (H, W, 3) uint8 RGB; rows (N,): which pictures were pasted; boxes_xyxy (N, 4) float32: where."""

    image: np.ndarray
    rows: np.ndarray
    boxes_xyxy: np.ndarray


def run(settings: Settings) -> int:
    """Measure, print."""
    if settings.template:
        settings = replace(settings, split="train")
    _, faces = settings.load()
    limit = settings.limit or (TEMPLATE_FACES if settings.template else len(faces))
    faces = faces.rows(np.arange(min(len(faces), limit)))
    pipeline = EmotionPipeline.from_files(
        weights=settings.weights or (),
        detector_weights=settings.detector_weights,
        device=pick_device(settings.device),
        prior="dataset",
        options=PredictOptions(explainer=None),
    )
    with contextlib.closing(pipeline):
        if settings.template:
            write_json(mean_landmarks(faces.images, pipeline.detector).round(3).tolist())
            return 0
        report = accuracy_lost(faces, pipeline)
    write_json(report)
    if settings.out:
        write_json(report, settings.out)
    return 0


def mean_landmarks(images: Sequence[np.ndarray] | np.ndarray, detector: Detector) -> np.ndarray:
    """(5, 2) float64: the mean place of the landmarks as a share of the side, made symmetric left to right.

    Each picture is enlarged four times and put in the middle of a grey frame, so that a box may reach past its edge.
    """
    landmarks = []
    for image in images:
        side = 4 * len(image)
        frame = np.full((side * 3 // 2, side * 3 // 2, 3), 110, np.uint8)
        corner = side // 4
        inner = slice(corner, corner + side)
        frame[inner, inner] = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        for face in detector([frame])[0][:1]:
            landmarks.append((face.landmarks_xy - corner + 0.5) / side)
    if not landmarks:
        raise UserError("no face was detected in the pictures; name larger ones, or other --detector-weights.")
    mean = np.mean(landmarks, axis=0)
    flipped = (np.array([1.0, 0.0]) + mean * [-1, 1])[list(MIRRORED_LANDMARKS)]
    return (mean + flipped) / 2


def accuracy_lost(faces: FaceSet, pipeline: EmotionPipeline) -> dict[str, float | None]:
    """Accuracy of the pictures classified directly and through the pipeline; a face not detected is an error."""
    direct = pipeline.classifier.probabilities(faces.images).argmax(axis=1)
    piped = np.full(len(faces), -1)
    names = list(pipeline.classifier.class_names)
    labels = np.array(class_columns(names, faces.class_names))[faces.labels]
    for scene in scenes(faces.images):
        for face in pipeline([scene.image])[0].faces:
            row = pasted_row(face.face, scene)
            if row is not None and piped[row] < 0:  # the detection with the highest score comes first
                piped[row] = names.index(face.label)
    detected = piped >= 0
    correct, piped_correct = direct == labels, piped == labels
    lost = 100.0 * (correct.astype(float) - piped_correct)
    notify(f"{len(faces)} faces, {detected.sum()} detected")
    return {
        "n": len(faces),
        "detected": float(detected.mean()),
        "accuracy_direct": float(correct.mean()),
        "accuracy_pipeline": float(piped_correct.mean()),
        "lost_points": float(lost.mean()),
        "lost_points_of_detected": float(lost[detected].mean()) if detected.any() else None,
        "same_label": float((piped == direct)[detected].mean()) if detected.any() else None,
    }


def scenes(images: Sequence[np.ndarray] | np.ndarray) -> Iterator[Scene]:
    """All pictures, six a scene, each at a random size and place in its cell of the grid."""
    rng = np.random.default_rng(0)
    cell_wh = np.array([SCENE_HW[1] / GRID[1], SCENE_HW[0] / GRID[0]])
    for start in range(0, len(images), GRID[0] * GRID[1]):
        rows = range(start, min(start + GRID[0] * GRID[1], len(images)))
        scene, boxes = background(rng), []
        for place, row in enumerate(rows):
            side = int(rng.integers(*SIDES))
            corner = cell_wh * [place % GRID[1], place // GRID[1]] + rng.uniform(4, cell_wh - side - 4)
            left, top = corner.astype(int)
            picture = cv2.resize(images[row], (side, side), interpolation=cv2.INTER_CUBIC)
            scene[top : top + side, left : left + side] = picture
            boxes.append([left, top, left + side, top + side])
        yield Scene(scene, np.array(rows), np.array(boxes, np.float32))


def background(rng: np.random.Generator) -> np.ndarray:
    """(480, 640, 3) uint8: smooth coloured noise with some grain, in which nothing is a face."""
    coarse = rng.uniform(40, 210, (6, 8, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, SCENE_HW[::-1], interpolation=cv2.INTER_CUBIC)
    return (smooth + rng.normal(0, 6, (*SCENE_HW, 1))).clip(0, 255).astype(np.uint8)


def pasted_row(face: Face, scene: Scene) -> int | None:
    """The row of the picture in which the mean of the face's landmarks lies; None where it lies in none."""
    centre = face.landmarks_xy.mean(axis=0)
    contains = (scene.boxes_xyxy[:, :2] <= centre) & (centre < scene.boxes_xyxy[:, 2:])
    inside = contains.all(axis=1)
    return int(scene.rows[inside.argmax()]) if inside.any() else None


main = command(Settings, run, prog="python -m evaluation.classification.through_pipeline", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
