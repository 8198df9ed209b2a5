"""A small data set of one portrait, for tests that want the shipped network to be right sometimes.

In:  a folder.
Out: a data set in FER+'s layout there: one portrait as forty-eight small grey pictures, with made-up votes.

The portrait is NASA's of Eileen Collins, who smiles (data/sources/sample.py). In half of the pictures a grey stripe
hides her mouth, and most votes are for neutral. Scores on it show that everything runs, and nothing about a network.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from data.augment import Augment
from data.datasets.ferplus import COLUMNS, FOLDERS
from data.sources.sample import portrait
from support import atomic_write

FACES = {"train": 24, "validation": 12, "test": 12}
SIDE = 48
FACE = slice(45, 190), slice(151, 296)  # rows and columns of the face in the portrait
MOUTH = slice(78, 114), slice(34, 114)  # and of the mouth in the face
PANEL = 10  # votes on each picture


def write_portrait_set(folder: str | Path) -> Path:
    """Write the sample into `folder` and return it; the same pictures and votes every time."""
    smiling = portrait()[FACE]
    hidden = smiling.copy()
    hidden[MOUTH] = 150
    rng = np.random.default_rng(0)
    augment = Augment(erase=0)
    for split, count in FACES.items():
        lines = []
        for number in range(count):
            covered = number % 2 == 1
            name = f"{split}_{number:02}.png"
            picture = augment(hidden if covered else smiling, rng, size=SIDE)
            votes = made_up_votes("neutral" if covered else "happiness", rng)
            lines.append(",".join([name, f'"(0, 0, {SIDE}, {SIDE})"', *map(str, votes)]))
            _, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
            with atomic_write(Path(folder) / FOLDERS[split] / name) as temporary:
                temporary.write_bytes(png.tobytes())
        with atomic_write(Path(folder) / FOLDERS[split] / "label.csv") as temporary:
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Path(folder)


def made_up_votes(expression: str, rng: np.random.Generator) -> list[int]:
    """Ten votes over FER+'s columns: six to ten for the `expression`, the others for neutral or happiness."""
    agreeing = int(rng.integers(6, PANEL + 1))
    counts = dict.fromkeys(COLUMNS, 0)
    counts[expression] = agreeing
    counts["happiness" if expression == "neutral" else "neutral"] = PANEL - agreeing
    return list(counts.values())
