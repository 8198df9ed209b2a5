"""A small data set of one portrait, for tests that want the shipped network to be right sometimes.

In:  a folder.
Out: a data set in FER+'s layout there: one portrait as forty-eight small grey pictures, with made-up votes.

The portrait is NASA's of Eileen Collins, who smiles (data/sources/sample.py). In half of the pictures a grey stripe
hides her mouth, and most votes are for neutral. Scores on it show that everything runs, and nothing about a network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.augment import Augment
from data.sample_set import SIDE, made_up_votes, write_faces
from data.sources.sample import portrait

FACES = {"train": 24, "validation": 12, "test": 12}
FACE = slice(45, 190), slice(151, 296)  # rows and columns of the face in the portrait
MOUTH = slice(78, 114), slice(34, 114)  # and of the mouth in the face


def write_portrait_set(folder: str | Path) -> Path:
    """Write the sample into `folder` and return it; the same pictures and votes every time."""
    smiling, augment = portrait()[FACE], Augment(erase=0)
    hidden = smiling.copy()
    hidden[MOUTH] = 150

    def make(number: int, rng: np.random.Generator) -> tuple[np.ndarray, list[int]]:
        covered = number % 2 == 1
        picture = augment(hidden if covered else smiling, rng, size=SIDE)
        return picture, made_up_votes(*(("neutral", "happiness") if covered else ("happiness", "neutral")), rng)

    return write_faces(folder, FACES, make)
