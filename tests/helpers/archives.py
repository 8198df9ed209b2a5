"""Archives made for tests: films and pictures with coloured squares for faces, and networks that find them at once.

In:  nothing.
Out: files; an `Analysis` whose networks cost a millisecond, so that processes, stretches and clusters can be tested.

A picture that is all red ends the process that analyses it; one that is all blue keeps it busy for ever.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from helpers.films import write_film

from models.preprocess import CROP_TEMPLATE
from pipeline.archive.analysis import Analysis
from pipeline.archive.results.dataset import Dataset
from pipeline.archive.sources import Source
from pipeline.archive.units import units_of
from pipeline.archive.worker import Worker
from pipeline.options import PredictOptions
from pipeline.run import EmotionPipeline
from retinaface.face import Face, Faces

SIZE_HW = (96, 160)
CLASSES = ("red", "green", "blue")
DEADLY_RGB, ENDLESS_RGB = (255, 0, 0), (0, 0, 255)
SIDE = 28  # of a square


def scene(index: int, *, fps: float = 10) -> np.ndarray:
    """A frame: three squares on a wall, of which one is away for a second, one for six, again and again."""
    height, width = SIZE_HW
    wall = np.random.default_rng(0).integers(60, 140, (height // 8, width // 8, 1), np.uint8)
    image = wall.repeat(8, axis=0).repeat(8, axis=1).repeat(3, axis=2)
    time_s = index / fps
    shown = (True, not 8 < time_s % 20 < 9, not 12 < time_s % 20 < 18)
    for number, is_shown in enumerate(shown):
        if is_shown:
            left = 8 + 52 * number + round(6 * np.sin(time_s / 2 + number))
            top = 30 + round(10 * np.cos(time_s / 3 + number))
            colour = [20, 20, 20]
            colour[number] = 235
            image[top : top + SIDE, left : left + SIDE] = colour
            shade = round(60 * (1 + np.sin(time_s)))
            image[top + 8 : top + 16, left + 8 : left + 16] = [c // 2 + shade for c in colour]
    return image


def write_scenes(path: Path, frames: int, *, start: int = 0, fps: float = 10, **options: Any) -> Path:
    """A film of the scene."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = {"preset": "ultrafast", "g": "20", "crf": "18"}
    return write_film(path, (scene(start + i, fps=fps) for i in range(frames)), rate=fps, options=settings, **options)


def write_picture(path: Path, image_rgb: np.ndarray) -> Path:
    """A .png file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))[1].tobytes())
    return path


def plain(colour_rgb: tuple[int, int, int]) -> np.ndarray:
    """(H, W, 3) of one colour."""
    return np.full((*SIZE_HW, 3), colour_rgb, np.uint8)


def pictures(folder: Path, count: int, *, room: str = "1") -> list[Source]:
    """Sources of so many pictures, written there, with one column of their own."""
    paths = [write_picture(folder / f"{i}.png", scene(7 * i)) for i in range(count)]
    return [Source(str(path), path.name, True, (room,)) for path in paths]


def analyse(dataset: Dataset, sources: Sequence[Source], *, place: str) -> int:
    """Do what remains, as a run does; how many sources that were."""
    dataset.tidy()
    todo = dataset.remaining(sources)
    worker = Worker(dataset.analysis, place)
    for unit in units_of(todo):
        worker(unit)
    return len(todo)


class SquareDetector:
    """Finds saturated squares, left to right."""

    def __call__(self, frames: Any, *, imgsz: Any = None) -> list[Faces]:
        """As `retinaface.face.Detector`."""
        return [self._faces(frame) for frame in frames]

    def _faces(self, frame: np.ndarray) -> Faces:
        mean = frame[::16, ::16].reshape(-1, 3).mean(axis=0)
        if np.abs(mean - DEADLY_RGB).max() < 10:
            os.kill(os.getpid(), signal.SIGKILL)
        while np.abs(mean - ENDLESS_RGB).max() < 10:
            time.sleep(0.1)
        _, mask = cv2.threshold(cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)[..., 1], 120, 1, cv2.THRESH_BINARY)
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        found = []
        for left, top, width, height, area in sorted(stats[1:count].tolist()):
            if area > 200:
                box = np.array([left, top, left + width, top + height], np.float32)
                points = (box[:2] + CROP_TEMPLATE * (box[2:] - box[:2])).astype(np.float32)
                found.append(Face(box, points, 0.9))
        return Faces(found)

    def close(self) -> None:
        """Nothing."""


@dataclass
class ColourPrediction:
    """Probabilities by the colour of a crop; heat everywhere."""

    probabilities: np.ndarray
    windows: None = None

    def heatmaps(self, class_index: Any, method: str) -> np.ndarray:
        """(N, 8, 8), as much as the class is probable."""
        chosen = self.probabilities[np.arange(len(class_index)), class_index]
        return np.broadcast_to(chosen[:, None, None], (len(chosen), 8, 8)).astype(np.float32)


class ColourClassifier:
    """Tells squares by their colour."""

    class_names, size_hw, name = CLASSES, (32, 32), "colours"

    def forward(self, crops: np.ndarray, *, tta: bool = False) -> ColourPrediction:
        """As `models.classifier.Classifier`."""
        means = crops.mean(axis=(1, 2)) / 64
        powers = np.exp(means - means.max(axis=1, keepdims=True)) if len(crops) else means
        return ColourPrediction((powers / powers.sum(axis=1, keepdims=True)).astype(np.float32))


@dataclass(frozen=True)
class ColourAnalysis(Analysis):
    """An analysis by these."""

    def pipeline(self) -> EmotionPipeline:
        """The networks."""
        options = PredictOptions(self.heatmaps, None, self.tta, self.smooth_s)
        detector: Any = SquareDetector()
        classifier: Any = ColourClassifier()
        return EmotionPipeline(detector, classifier, options=options)
