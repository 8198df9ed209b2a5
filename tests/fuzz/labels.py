"""Hostile data sets: the tables, arrays, archives and pictures of every format, and files of classes and soft targets.

In:  a random generator, an empty folder.
Out: actions that read the data set as training, evaluation and data.check do.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fuzz.cases import Action, Kind
from fuzz.hostile import TEXTS, Rng, changed_bytes, changed_text, changed_value, encoded, json_text, pick
from helpers import tiny_formats, tiny_sets
from helpers.tiny_sets import write_grey

MAKERS: dict[str, Callable[[Path], object]] = {
    "raf_official": tiny_sets.make_raf_official, "raf_reference": tiny_sets.make_raf_reference,
    "ferplus": tiny_sets.make_ferplus, "fer2013": tiny_sets.make_fer2013, "ferplus_csv": tiny_sets.make_ferplus_csv,
    "raf_kaggle": tiny_formats.make_raf_kaggle, "ckplus": tiny_formats.make_ckplus, "ck48": tiny_formats.make_ck48,
    "jaffe": tiny_formats.make_jaffe, "ferg": tiny_formats.make_ferg, "expw": tiny_formats.make_expw,
    "affectnet": tiny_formats.make_affectnet, "affectnet_lists": tiny_formats.make_affectnet_lists,
    "csv_list": tiny_formats.make_csv_list,
    "image_folder": lambda root: tiny_sets.make_image_folder(root, {f"{s}/{c}": 4 for s in ("train", "val",
     "test") for c in ("sad", "happy")}),
}  # fmt: skip
TABLES = (".csv", ".txt", ".lst", ".npy", ".xml")


def data_set(rng: Rng, folder: Path, shared: Path) -> Action:
    """A data set of any format with one to three files changed; sometimes as a .zip."""
    root = folder / "data"
    shutil.copytree(tiny_data(pick(rng, list(MAKERS)), shared), root, copy_function=os.link)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    tables = [path for path in files if path.suffix in TABLES]
    for _ in range(int(rng.integers(1, 4))):
        change_file(rng, pick(rng, tables if tables and rng.random() < 0.8 else files))
    path = root
    if rng.random() < 0.08:
        path = Path(shutil.make_archive(str(folder / "x"), "zip", root))
        path.write_bytes(changed_bytes(rng, path.read_bytes()))
    split = pick(rng, ("train", "validation", "test", "all"))
    return functools.partial(load, path, split, skip_bad=bool(rng.random() < 0.5))


def tiny_data(name: str, shared: Path) -> Path:
    """A small data set of a format, made once."""
    path = shared / f"data-{name}"
    if not path.exists():
        own = shared / f"{os.getpid()}-{name}"
        MAKERS[name](own)
        try:
            own.rename(path)
        except OSError:  # another process was faster
            shutil.rmtree(own)
    return path


def change_file(rng: Rng, path: Path) -> None:
    """Other content, another name, or none at all."""
    if not path.is_file():
        return
    content = path.read_bytes()
    chance = rng.random()
    path.unlink()
    if chance < 0.05:
        return
    if chance < 0.1:
        path = path.with_name(path.stem + pick(rng, ("\n", "é", ";", "=1", " ", "\x1b[2J")) + path.suffix)
    if chance < 0.12:
        path.mkdir()
    elif path.suffix == ".npy":
        values = (np.array(1e300), np.array([1, 2]), np.array("x"), np.array(2**63, np.uint64), np.array(np.nan),
                  np.array(None, object), np.zeros(0), np.array(-1))  # fmt: skip
        np.save(path, pick(rng, values), allow_pickle=True)
        if rng.random() < 0.3:
            path.write_bytes(changed_bytes(rng, path.read_bytes()))
    elif path.suffix in TABLES:
        path.write_bytes(encoded(rng, changed_text(rng, content.decode("utf-8", "replace"))))
    else:
        path.write_bytes(changed_bytes(rng, content))


def load(path: Path, split: str, *, skip_bad: bool) -> None:
    """What training asks of a data set."""
    from data.datasets import load_faces
    from data.doubts import find_doubts

    faces = load_faces(path, split, skip_bad=skip_bad)
    assert faces.votes.shape == (len(faces), len(faces.class_names))
    assert np.isfinite(faces.votes).all()
    assert np.allclose(faces.votes.sum(axis=1), 1, atol=1e-4)
    assert 0 <= faces.labels.min() <= faces.labels.max() < len(faces.class_names)
    assert all(image.dtype == np.uint8 and image.ndim == 3 and image.size for image in faces.images)
    find_doubts(faces, {})


def data_check(rng: Rng, folder: Path, shared: Path) -> Action:
    """`python -m data.check`, also with a file of classes."""
    from data.check import Settings, run

    root = folder / "data"
    shutil.copytree(
        tiny_data(pick(rng, ("csv_list", "image_folder", "fer2013", "ferplus")), shared), root, copy_function=os.link
    )
    change_file(rng, pick(rng, sorted(path for path in root.rglob("*") if path.is_file())))
    (folder / "classes.csv").write_bytes(
        encoded(rng, changed_text(rng, "name,class\nsad,sadness\nhappy,joy\nangry,-\n"))
    )
    return functools.partial(run, Settings(folder=str(root), classes=pick(rng, ("", str(folder / "classes.csv")))))


def soft_targets(rng: Rng, folder: Path, shared: Path) -> Action:
    """A file of soft targets."""
    from models.training.distillation import soft_votes

    names, classes = [f"{row}.png" for row in range(5)], ("sad", "happy")
    path = folder / pick(rng, ("x.csv", "x.csv.gz"))
    lines = ["name,sad,happy", *(f"{name},0.25,0.75" for name in names)]
    path.write_bytes(encoded(rng, changed_text(rng, "\n".join(lines) + "\n")))
    votes = np.full((5, 2), 0.5, np.float32)

    def action() -> None:
        mixed = soft_votes(str(path), names, classes, votes, share=0.5)
        assert np.allclose(mixed.sum(axis=1), 1, atol=1e-4)

    return action


def detector_annotations(rng: Rng, folder: Path, shared: Path) -> Action:
    """The detector's annotations."""
    from retinaface.training.annotations import chosen_rows, read_pictures

    write_grey(folder / "a.png", 90, side=40)
    row = {"image": "a.png", "boxes": [[1, 2, 30, 33]], "landmarks": [[[9, 9], [20, 9], [15, 15], [10, 25], [20, 25]]],
           "split": "train", "complete": True, "gt": True}  # fmt: skip
    lines = [json_text(rng, changed_value(rng, row)), json.dumps(row)]
    (folder / "a.jsonl").write_bytes(encoded(rng, "\n".join(lines)))

    def action() -> None:
        for picture in read_pictures(chosen_rows(folder / "a.jsonl"), folder):
            assert np.isfinite(picture.boxes).all()
            assert picture.landmarks.shape == (len(picture.boxes), 5, 2)

    return action


def names_in_zip(rng: Rng, folder: Path, shared: Path) -> Action:
    """An archive whose entries have names that lead elsewhere, or claim to be larger than any disk."""
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for label in ("sad", "happy"):
            for number in range(4):
                picture = write_grey(folder / "g.png", 9 * number).read_bytes()
                archive.writestr(zipfile.ZipInfo(f"train/{label}/{number}.png"), picture)  # else with the time of day
        name = pick(rng, [text for text in TEXTS if text and text[0] != "\0" and len(text) < 200])
        archive.writestr(zipfile.ZipInfo(name.encode("utf-8", "replace").decode() or "x"), bytes(100))
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    if rng.random() < 0.5:
        data[at + 24 : at + 28] = b"\xff\xff\xff\x7f"
    path.write_bytes(bytes(data))
    return functools.partial(load, path, "train", skip_bad=bool(rng.random() < 0.5))


KINDS = {
    "data_set": Kind(data_set, 24),
    "data_check": Kind(data_check, 3),
    "soft_targets": Kind(soft_targets, 3),
    "annotations": Kind(detector_annotations, 5),
    "zip": Kind(names_in_zip, 1.5),
}
