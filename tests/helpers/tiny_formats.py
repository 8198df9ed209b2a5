"""Data sets of other people's shapes, a few grey squares each: what researchers have lying about.

In:  an empty folder.
Out: files in it, as the makers of the data set (or Kaggle) pack them.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from helpers.tiny_sets import make_raf_official, raf_level, raf_names, write_grey, write_lines, write_picture

CK_LABELS = {"S005/001": 3, "S010/001": 5, "S010/002": 1, "S011/001": 7, "S014/001": 5, "S022/003": 4, "S026/006": 6}
CK_FRAMES = 5
JAFFE_WORDS = ("AN", "DI", "FE", "HA", "NE", "SA", "SU")
JAFFE_PEOPLE = ("KA", "KL", "KM", "KR", "MK", "NA")
FERG_WORDS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
FERG_CHARACTERS = ("aia", "bonnie", "jules", "malcolm", "mery", "ray")


def make_raf_kaggle(root: Path) -> Path:
    """Kaggle's export: numbered folders, and a list of each part beside them."""
    for part in ("train", "test"):
        names = {name: number for name, number in raf_names().items() if name.startswith(part)}
        for name, number in names.items():
            write_grey(root / f"DATASET/{part}/{number + 1}/{name}_aligned.jpg", raf_level(name), side=10)
        rows = [f"{name}_aligned.jpg,{number + 1}" for name, number in names.items()]
        write_lines(root / f"{part}_labels.csv", ["image,label", *rows])
    return root


def make_raf_zip(path: Path, folder: Path) -> Path:
    """RAF-DB as it is downloaded: basic/ in a .zip, its pictures in another one inside."""
    make_raf_official(folder)
    aligned = io.BytesIO()
    with zipfile.ZipFile(aligned, "w") as inner:
        for picture in sorted((folder / "Image/aligned").iterdir()):
            inner.write(picture, f"aligned/{picture.name}")
    with zipfile.ZipFile(path, "w") as outer:
        outer.write(folder / "EmoLabel/list_patition_label.txt", "basic/EmoLabel/list_patition_label.txt")
        outer.writestr("basic/Image/aligned.zip", aligned.getvalue())
    return path


def make_ckplus(root: Path) -> Path:
    """The release: sequences of `CK_FRAMES` frames, most with a label; frame i of the n-th sequence is 20 n + i."""
    for n, (place, label) in enumerate({**CK_LABELS, "S999/001": None}.items()):
        stem = place.replace("/", "_")
        for i in range(CK_FRAMES):
            write_grey(root / f"cohn-kanade-images/{place}/{stem}_{i + 1:08}.png", 20 * n + i)
        (root / "Emotion" / place).mkdir(parents=True)
        if label is not None:
            write_lines(root / f"Emotion/{place}/{stem}_{CK_FRAMES:08}_emotion.txt", [f"   {label:.7e}"])
    return root


def make_ck48(root: Path) -> Path:
    """Kaggle's CK+48: a folder a class, three frames a sequence."""
    words = ("", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
    for n, (place, label) in enumerate(CK_LABELS.items()):
        for i in range(3):
            write_grey(root / f"CK+48/{words[label]}/{place.replace('/', '_')}_{i + 15:08}.png", 20 * n + i)
    return root


def make_jaffe(root: Path) -> Path:
    """Six people, each with every expression; all in one folder."""
    for p, person in enumerate(JAFFE_PEOPLE):
        for n, word in enumerate(JAFFE_WORDS):
            write_grey(root / f"{person}.{word}1.{7 * p + n}.tiff", 7 * p + n)
    write_lines(root / "README", ["as the release has it"])
    return root


def make_ferg(root: Path) -> Path:
    """Six characters, each with every expression twice."""
    for c, character in enumerate(FERG_CHARACTERS):
        for w, word in enumerate(FERG_WORDS):
            for i in (1, 2):
                name = f"FERG_DB_256/{character}/{character}_{word}/{character}_{word}_{i}.png"
                write_grey(root / name, 30 * c + 3 * w + i)
    return root


def make_expw(root: Path) -> Path:
    """Twenty pictures with two faces each: the left half is face 0, the right half, lighter by 100, face 1."""
    lines = []
    for n in range(20):
        image = np.full((10, 20, 3), n, np.uint8)
        image[:, 10:] += 100
        write_picture(root / f"image/origin/p{n}.png", image)
        lines += [f"p{n}.png 0 0 0 10 10 99.5 {n % 7}", f"p{n}.png 1 0 10 20 10 98.0 {(n + 1) % 7}"]
    write_lines(root / "label/label.lst", lines)
    return root


def make_affectnet(root: Path) -> Path:
    """The cropped release: 24 + 8 faces of the eight expressions, and one without any."""
    for part, count in (("train_set", 24), ("val_set", 8)):
        (root / part / "annotations").mkdir(parents=True)
        for n in range(count + 1):
            write_grey(root / part / f"images/{n}.jpg", 100 * (part == "val_set") + n)
            np.save(root / part / f"annotations/{n}_exp.npy", np.array(str(n % 8 if n < count else 9)))
    return root


def make_affectnet_lists(root: Path) -> Path:
    """The full release: lists with boxes; the face is the middle of each picture, 50 lighter than the rest."""
    header = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
    for name, count in (("training", 24), ("validation", 8)):
        lines = [header]
        for n in range(count):
            image = np.full((12, 12, 3), n, np.uint8)
            image[3:9, 3:9] += 50
            write_picture(root / f"Manually_Annotated_Images/{name[0]}/{n}.png", image)
            lines.append(f"{name[0]}/{n}.png,3,3,6,6,1.0;2.0,{n % 8},0.1,-0.2")
        write_lines(root / f"{name}.csv", lines)
    return root


def make_csv_list(root: Path) -> Path:
    """A list with labels and people: ten of these, two faces each."""
    lines = ["path,label,person"]
    for n in range(20):
        write_grey(root / f"pictures/{n}.png", 5 * n)
        lines.append(f"pictures/{n}.png,{('happy', 'sad')[n % 2]},person{n // 2}")
    write_lines(root / "faces.csv", lines)
    return root
