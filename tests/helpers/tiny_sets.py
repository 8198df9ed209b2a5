"""Data sets of a few grey squares, written on the spot in each format of data/datasets/.

In:  an empty folder.
Out: files in it. Every picture is flat, and its grey level tells which it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from data.faults import FaultyData

RAF_WORDS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")  # as RAF-DB's page counts them
FER_COLUMNS = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
FER_ROWS = (  # neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, not a face
    "1,0,0,0,6,2,0,1,0,0",  # anger, and less disgust once single votes are dropped
    "1,0,0,0,0,0,2,0,7,0",  # unknown
    "0,0,5,0,0,0,5,0,0,0",  # a tie of surprise and fear: for training only
    "2,8,0,0,0,0,0,0,0,0",  # happiness
)


def write_picture(path: Path, image: np.ndarray) -> Path:
    """Encode `image` (BGR, as OpenCV wants it) by the suffix of `path`; make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


def write_grey(path: Path, level: int, *, side: int = 8) -> Path:
    """A flat picture of one grey level."""
    return write_picture(path, np.full((side, side, 3), level, np.uint8))


def write_lines(path: Path, lines: list[str]) -> Path:
    """A text file of these lines; make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def edit_line(path: Path, line: int, text: str) -> None:
    """Put `text` in the place of one line, counted from 1."""
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    write_lines(path, lines)


def faults_of(load: Callable[[Path, str], object], root: Path, split: str = "train") -> list[str]:
    """What `load` finds wrong, with places relative to the data set's folder."""
    with pytest.raises(FaultyData) as caught:
        load(root, split)
    return [str(fault).replace(f"{root}/", "") for fault in caught.value.faults]


def raf_names() -> dict[str, int]:
    """{train_00001: 0, ...}: 42 train and 7 test pictures, and the class of each, counted in RAF-DB's order from 0."""
    train = {f"train_{i:05}": (i - 1) % 7 for i in range(1, 43)}
    return train | {f"test_{i:04}": i - 1 for i in range(1, 8)}


def raf_level(name: str) -> int:
    """The grey level of a RAF-DB picture."""
    number = int(name.split("_")[1])
    return 5 * number if name.startswith("train") else 3 * number


def raf_votes(name: str) -> list[int]:
    """Seven counts in RAF-DB's order: most for the class, and some for the next one that tell the picture."""
    number = raf_names()[name]
    votes = [0] * 7
    votes[number] = 60
    votes[(number + 1) % 7] = int(name.split("_")[1])
    return votes


def make_raf_official(root: Path) -> Path:
    """RAF-DB's own layout, without votes."""
    write_lines(root / "EmoLabel/list_patition_label.txt", [f"{name}.jpg {n + 1}" for name, n in raf_names().items()])
    return _raf_pictures(root)


def make_raf_reference(root: Path) -> Path:
    """RAF-DB with labels from 0 and votes in .csv files."""
    for split in ("train", "test"):
        names = [name for name in raf_names() if name.startswith(split)]
        write_lines(root / f"EmoLabel/emo_label_{split}.csv", [f"{name}.jpg,{raf_names()[name]}" for name in names])
        votes = [",".join([f"{name}.jpg", *map(str, raf_votes(name))]) for name in reversed(names)]
        write_lines(root / f"EmoLabel/emo_distribution_{split}.csv", votes)
    return _raf_pictures(root)


def _raf_pictures(root: Path) -> Path:
    for name in raf_names():
        write_grey(root / f"Image/aligned/{name}_aligned.jpg", raf_level(name), side=10)
    return root


def make_ferplus(root: Path) -> Path:
    """FER+ with pictures; each split has the four rows of `FER_ROWS`."""
    for number, part in enumerate(("FER2013Train", "FER2013Valid", "FER2013Test")):
        lines = []
        for i, counts in enumerate(FER_ROWS):
            name = f"fer{10 * number + i:07}.png"
            write_picture(root / part / name, np.full((48, 48), fer_level(number, i), np.uint8))
            lines.append(f'{name},"(0, 0, 48, 48)",{counts}')
        write_lines(root / part / "label.csv", lines)
    return root


def fer_level(part: int, i: int) -> int:
    """The grey level of row `i` of a part: 0 train, 1 validation, 2 test."""
    return 50 * part + 10 * i + 7


def make_fer2013(root: Path, *, name: str = "fer2013.csv", labels: tuple[int, ...] = (4, 0, 6, 3)) -> Path:
    """FER2013: each part has `FER_ROWS`' four pictures, labelled 4 (sad), 0 (angry), 6 (neutral), 3 (happy)."""
    lines = ["emotion,pixels,Usage"]
    for part, usage in enumerate(("Training", "PublicTest", "PrivateTest")):
        lines += [f"{label},{fer_pixels(fer_level(part, i))},{usage}" for i, label in enumerate(labels)]
    write_lines(root / name, lines)
    return root


def fer_pixels(level: int) -> str:
    """2,304 numbers."""
    return " ".join([str(level)] * 48 * 48)


def make_ferplus_csv(root: Path) -> Path:
    """The same faces as `make_ferplus`, from Kaggle's pixels and the release's votes."""
    lines = [FER_COLUMNS]
    for part, usage in enumerate(("Training", "PublicTest", "PrivateTest")):
        lines += [f"{usage},fer{10 * part + i:07}.png,{counts}" for i, counts in enumerate(FER_ROWS)]
    make_fer2013(root, labels=(0, 2, 5, 3))  # as most of the votes are
    write_lines(root / "fer2013new.csv", lines)
    return root


def make_image_folder(root: Path, counts: dict[str, int]) -> Path:
    """`counts`: pictures a class folder, such as {"train/Happy": 3}."""
    for folder, count in counts.items():
        for i in range(count):
            write_grey(root / folder / f"{i}.png", 2 * i, side=6 + i % 3)
    return root
