"""Does a live crop look to the network like a training picture? python -m evaluation.classification.through_pipeline --data-path DIR

In:  a data set of cropped faces (FER+), the detector and classifier.
Out: with --template, where the detector's landmarks lie in the pictures on average, which is `pipeline.crops.TEMPLATE`;
     else the accuracy lost on the way: every picture is classified directly, and again after it has been enlarged,
     pasted into a larger scene, found, aligned and cropped by the whole pipeline.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from data.datasets import load_faces
from data.face_set import FaceSet
from pipeline.run import EmotionPipeline
from retinaface.face import Face
from support import command, notify, pick_device, run_and_exit, setting, write_json

SCENE_HW = (480, 640)
GRID = (2, 3)  # faces a scene: rows, columns
SIDES = (90, 200)  # pixels of a pasted picture
MIRRORED = [1, 0, 2, 4, 3]  # landmarks after left and right have been swapped


@dataclass
class Settings:
    """Flags of `python -m evaluation.classification.through_pipeline`."""

    data_path: str = setting("data/raw", "the data set's folder", metavar="DIR")
    dataset: str = setting("", "format of the data set; recognised by its layout where left out")
    split: str = setting("test", "which pictures are pasted", choices=["train", "validation", "test"])
    weights: str | None = setting(None, "emotion checkpoint (default: the shipped one)", metavar="FILE")
    detector_weights: str | None = setting(None, "detector weights (default: the shipped ones)", metavar="FILE")
    template: bool = setting(False, "print the mean landmarks of the first 3,000 training pictures instead")
    max_faces: int | None = setting(None, "use so many pictures only")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    out: str = setting("", "where the figures go as JSON; left out: stdout only", metavar="FILE.json")


@dataclass(frozen=True, eq=False)
class Scene:
    """image (H, W, 3) uint8 RGB; rows: which pictures were pasted; squares (N, 4) float32 xyxy: where."""

    image: np.ndarray
    rows: np.ndarray
    squares: np.ndarray


def run(settings: Settings) -> int:
    """Parse flags, measure, print."""
    pipeline = EmotionPipeline.from_files(
        weights=settings.weights,
        detector_weights=settings.detector_weights,
        device=pick_device(settings.device),
        explainer=None,
    )
    faces = load_faces(settings.data_path, "train" if settings.template else settings.split, name=settings.dataset)
    faces = faces.rows(np.arange(min(len(faces), settings.max_faces or (3000 if settings.template else len(faces)))))
    if settings.template:
        print(json.dumps(mean_landmarks(faces, pipeline.detector).round(3).tolist()))
        return 0
    figures = accuracy_lost(faces, pipeline)
    write_json(figures)
    if settings.out:
        write_json(figures, settings.out)
    return 0


def mean_landmarks(faces: FaceSet, detector) -> np.ndarray:
    """(5, 2) float64: the landmarks' mean place as a share of the side, made symmetric left to right.

    Each picture stands enlarged, four times, in the middle of a grey frame, so that a face may reach past its edge.
    """
    found = []
    for image in faces.images:
        side = 4 * len(image)
        frame = np.full((side * 3 // 2, side * 3 // 2, 3), 110, np.uint8)
        corner = side // 4
        frame[corner : corner + side, corner : corner + side] = cv2.resize(
            image, (side, side), interpolation=cv2.INTER_CUBIC
        )
        for face in detector([frame])[0][:1]:
            found.append((face.landmarks_xy - corner + 0.5) / side)
    mean = np.mean(found, axis=0)
    mirrored = (np.array([1.0, 0.0]) + mean * [-1, 1])[MIRRORED]
    return (mean + mirrored) / 2


def accuracy_lost(faces: FaceSet, pipeline: EmotionPipeline) -> dict[str, float | None]:
    """Accuracy of classifying the pictures directly and through the pipeline; a face that is not found is an error."""
    direct = pipeline.classifier.probabilities(faces.images).argmax(axis=1)
    read = np.full(len(faces), -1)
    names = list(pipeline.classifier.class_names)
    for scene in scenes(faces):
        result = pipeline([scene.image])[0]
        for face in result.faces:
            row = owner(face.face, scene)
            if row is not None and read[row] < 0:  # the surest detection comes first
                read[row] = names.index(face.label)
    found = read >= 0
    right, right_read = direct == faces.labels, read == faces.labels
    notify(f"{len(faces)} faces, {found.sum()} found again")
    return {
        "n": len(faces),
        "found": float(found.mean()),
        "accuracy_direct": float(right.mean()),
        "accuracy_pipeline": float(right_read.mean()),
        "lost_points": float(100 * (right.mean() - right_read.mean())),
        "lost_points_of_found": float(100 * (right[found].mean() - right_read[found].mean())) if found.any() else None,
        "same_label": float((read == direct)[found].mean()) if found.any() else None,
    }


def scenes(faces: FaceSet, *, seed: int = 0) -> Iterator[Scene]:
    """All faces, six to a scene, each at its own size and place in a cell of the grid."""
    rng = np.random.default_rng(seed)
    cell = np.array([SCENE_HW[1] / GRID[1], SCENE_HW[0] / GRID[0]])
    for start in range(0, len(faces), GRID[0] * GRID[1]):
        rows = np.arange(start, min(start + GRID[0] * GRID[1], len(faces)))
        image, squares = ground(rng), []
        for place, row in enumerate(rows):
            side = int(rng.integers(*SIDES))
            corner = cell * [place % GRID[1], place // GRID[1]] + rng.uniform(4, cell - side - 4)
            left, top = corner.astype(int)
            image[top : top + side, left : left + side] = cv2.resize(
                faces.images[row], (side, side), interpolation=cv2.INTER_CUBIC
            )
            squares.append([left, top, left + side, top + side])
        yield Scene(image, rows, np.array(squares, np.float32))


def ground(rng: np.random.Generator) -> np.ndarray:
    """(480, 640, 3) uint8: soft coloured clouds with some grain, so that nothing in it is a face."""
    clouds = cv2.resize(
        rng.uniform(40, 210, (6, 8, 3)).astype(np.float32), SCENE_HW[::-1], interpolation=cv2.INTER_CUBIC
    )
    return (clouds + rng.normal(0, 6, (*SCENE_HW, 1))).clip(0, 255).astype(np.uint8)


def owner(face: Face, scene: Scene) -> int | None:
    """The row of the picture that the middle of the face's landmarks lies in; None for a find elsewhere."""
    x, y = face.landmarks_xy.mean(axis=0)
    inside = (
        (scene.squares[:, 0] <= x) & (x < scene.squares[:, 2]) & (scene.squares[:, 1] <= y) & (y < scene.squares[:, 3])
    )
    return int(scene.rows[inside.argmax()]) if inside.any() else None


main = command(Settings, run, prog="python -m evaluation.classification.through_pipeline", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
