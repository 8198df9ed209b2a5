"""A data set made on the spot, so that notebooks and tests run without a real one.

In:  a folder.
Out: a data set in FER+'s layout there: drawn faces (data/cartoon_faces.py) as small grey pictures, of eight
     expressions, with the votes of a panel that is not always of one mind.

Since the faces are drawn, it is known what makes each expression, and so whether a network and its heatmaps are right.
Scores on it say nothing about faces of people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from data.cartoon_faces import EXPRESSIONS, random_cartoon
from data.datasets.ferplus import COLUMNS, FOLDERS
from support import write_file

FACES = {"train": 640, "validation": 128, "test": 128}
SIDE = 48
PANEL = 10  # votes on each picture
TAKEN_FOR = {  # what those of the panel say who do not name the expression
    "neutral": "sadness",
    "happiness": "neutral",
    "surprise": "fear",
    "sadness": "neutral",
    "anger": "disgust",
    "disgust": "anger",
    "fear": "surprise",
    "contempt": "neutral",
}


def write_sample_set(folder: str | Path, *, faces: Mapping[str, int] = FACES) -> Path:
    """Write the sample into `folder` and return it; the same pictures and votes every time. faces: of each split."""
    names = list(EXPRESSIONS)

    def draw(number: int, rng: np.random.Generator) -> tuple[np.ndarray, list[int]]:
        expression = names[number % len(names)]
        picture = random_cartoon(expression, rng, size=SIDE)
        return picture, made_up_votes(expression, TAKEN_FOR[expression], rng)

    return write_faces(folder, faces, draw)


def write_faces(
    folder: str | Path,
    faces: Mapping[str, int],
    make: Callable[[int, np.random.Generator], tuple[np.ndarray, list[int]]],
) -> Path:
    """Write a data set in FER+'s layout into `folder` and return it.

    faces: of each split. make: from the number of a face in its split to its picture (48, 48, 3) uint8 RGB and votes.
    """
    rng = np.random.default_rng(0)
    for split, count in faces.items():
        lines = []
        for number in range(count):
            name = f"{split}_{number:03}.png"
            picture, votes = make(number, rng)
            lines.append(",".join([name, f'"(0, 0, {SIDE}, {SIDE})"', *map(str, votes)]))
            _, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
            write_file(Path(folder) / FOLDERS[split] / name, png.tobytes())
        write_file(Path(folder) / FOLDERS[split] / "label.csv", "\n".join(lines) + "\n")
    return Path(folder)


def made_up_votes(expression: str, other: str, rng: np.random.Generator) -> list[int]:
    """Ten votes over FER+'s columns: six to ten for the `expression`, the rest for the `other` it is taken for."""
    agreeing = int(rng.integers(6, PANEL + 1))
    counts = dict.fromkeys(COLUMNS, 0)
    counts[expression], counts[other] = agreeing, PANEL - agreeing
    return list(counts.values())
