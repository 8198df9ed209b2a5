"""Class folders: names, order, the splits that are there and those that are drawn."""

from __future__ import annotations

import functools
import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_sets import make_image_folder, write_grey

from data.datasets import image_folder, load_format
from data.datasets.image_folder import find
from data.faults import FaultyData

load = functools.partial(load_format, image_folder)

SPLITS = ("train", "validation", "test")


def counts_of(root):
    """{split: faces a class}."""
    return {split: np.bincount(load(root, split).labels, minlength=2).tolist() for split in SPLITS}


def test_one_tree_is_split_by_class(tmp_path):
    root = make_image_folder(tmp_path, {"Happy": 50, "sad": 10})
    assert find(root) is not None
    faces = load(root, "train")
    assert faces.class_names == ("happiness", "sadness")
    assert not faces.has_votes
    assert counts_of(root) == {"train": [36, 7], "validation": [4, 1], "test": [10, 2]}
    names = [name for split in SPLITS for name in load(root, split).names]
    assert len(names) == len(set(names)) == 60
    assert load(root, "test").names == load(root, "test").names
    for image, name in zip(faces.images, faces.names, strict=True):
        number = int(name.removesuffix(".png").split("/")[1])
        assert image.shape == (6 + number % 3, 6 + number % 3, 3)  # sizes differ
        assert (image == 2 * number).all()


def test_of_every_class_those_with_the_smallest_hashes_are_drawn(tmp_path):
    root = make_image_folder(tmp_path, {"Happy": 23, "joy": 18, "sad": 12})
    left = [f"{path.parent.name}/{path.name}" for path in root.glob("*/*.png")]
    key = {name: hashlib.blake2b(f"0 {name}".encode(), digest_size=8).digest() for name in left}
    for split, shares in (("test", (8, 2)), ("validation", (3, 1))):
        happy, sad = (
            sorted((n for n in left if n.startswith("sad") == is_sad), key=key.get) for is_sad in (False, True)
        )
        drawn = happy[: shares[0]] + sad[: shares[1]]
        assert set(load(root, split).names) == set(drawn)
        left = [name for name in left if name not in drawn]
    assert sorted(load(root, "train").names) == sorted(left)


def test_a_listed_picture_takes_little_memory(tmp_path):
    def peak(folder, count):
        for number in range(count):
            path = folder / f"n{number // 100:04}" / f"{number:07}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        tracemalloc.start()
        for split in SPLITS:
            assert 0 < len(image_folder.read(folder, split, []).samples) < count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert (peak(tmp_path / "many", 5000) - peak(tmp_path / "few", 1000)) / 4000 < 40  # names alone are 90 as texts


@pytest.mark.parametrize(
    ("folders", "counts"),
    [
        (("train", "test"), {"train": [18, 9], "validation": [2, 1], "test": [20, 10]}),
        (("Train", "val", "test"), {"train": [20, 10], "validation": [20, 10], "test": [20, 10]}),
        (("training", "validation", "testing"), {"train": [20, 10], "validation": [20, 10], "test": [20, 10]}),
        (("train", "val"), {"train": [18, 9], "validation": [2, 1], "test": [20, 10]}),  # ImageNet's habit
        (("train",), {"train": [14, 7], "validation": [2, 1], "test": [4, 2]}),
    ],
)
def test_folders_of_splits(tmp_path, folders, counts):
    root = make_image_folder(tmp_path, {f"{folder}/{name}": n for folder in folders for name, n in SIZES.items()})
    assert find(root) is not None
    assert counts_of(root) == counts


SIZES = {"joy": 20, "fear": 10}


def test_any_classes_expressions_first_then_by_alphabet(tmp_path):
    root = make_image_folder(tmp_path, {"zeal": 3, "Bored": 3, "Contempt": 3, "neutral": 3, "angry": 3})
    faces = load(root, "train")
    assert faces.class_names == ("neutral", "anger", "contempt", "bored", "zeal")
    for name, label in zip(faces.names, faces.labels, strict=True):
        wanted = {"zeal": 4, "Bored": 3, "Contempt": 2, "neutral": 0, "angry": 1}[name.split("/")[0]]
        assert label == wanted
    assert faces.votes.shape == (len(faces), 5)


def test_all_splits_have_the_classes_of_all(tmp_path):
    root = make_image_folder(tmp_path, {"train/sad": 4, "train/happy": 4, "test/happy": 2, "test/NA": 1})
    assert {load(root, split).class_names for split in SPLITS} == {("happiness", "sadness", "na")}
    assert load(root, "test").labels.tolist() == [2, 0, 0]


def test_two_names_of_one_expression_are_one_class(tmp_path):
    root = make_image_folder(tmp_path, {"train/happy": 4, "train/joy": 4, "train/sad": 4, "test/happy": 1})
    assert load(root, "train").class_names == ("happiness", "sadness")
    assert counts_of(root) == {"train": [7, 3], "validation": [1, 1], "test": [1, 0]}


def test_what_is_no_picture_is_passed_over_and_a_broken_one_is_a_fault(tmp_path):
    root = make_image_folder(tmp_path, {"train/happy": 4, "train/sad": 4, "test/happy": 2, "test/sad": 2})
    (root / "train/happy/notes.txt").write_text("none of ours")
    (root / "train/happy/._0.png").write_text("a Mac's own")
    assert counts_of(root)["test"] == [2, 2]
    assert load(root, "train").class_names == ("happiness", "sadness")
    (root / "test/sad/0.png").write_bytes(b"half a picture")
    with pytest.raises(FaultyData) as caught:
        load(root, "test")
    (fault,) = caught.value.faults
    assert fault.file == root / "test/sad"
    assert "0.png is not a picture" in fault.what
    assert load(root, "test", skip_bad=True).names == ("test/happy/0.png", "test/happy/1.png", "test/sad/1.png")


def test_not_every_folder_is_one_of_classes(tmp_path):
    assert find(tmp_path) is None
    write_grey(tmp_path / "a.png", 1)
    make_image_folder(tmp_path, {"only": 3})
    assert find(tmp_path) is None
    make_image_folder(tmp_path, {"train/only": 3})
    assert find(tmp_path) is None


@pytest.mark.parametrize(
    "parts", [("Training", "PublicTest", "PrivateTest"), ("FER2013Train", "FER2013Valid", "FER2013Test")]
)
def test_fer2013s_words_for_splits_are_splits_and_no_classes(tmp_path, parts):
    counts = {
        f"archive/{part}/{name}": n for part, n in zip(parts, (6, 3, 2), strict=True) for name in ("Angry", "Happy")
    }
    make_image_folder(tmp_path, counts)
    assert find(tmp_path) is not None
    assert counts_of(tmp_path) == {"train": [6, 6], "validation": [3, 3], "test": [2, 2]}
    assert load(tmp_path, "train").class_names == ("happiness", "anger")


def test_what_systems_and_notebooks_leave_is_no_class(tmp_path):
    make_image_folder(tmp_path, {"happy": 20, "sad": 20, ".ipynb_checkpoints": 3, "__MACOSX/happy": 3, "@eaDir": 3})
    assert load(tmp_path, "train").class_names == ("happiness", "sadness")
    assert counts_of(tmp_path) == {"train": [14, 14], "validation": [2, 2], "test": [4, 4]}


def test_a_class_folder_whose_files_cannot_be_read_does_not_vanish(tmp_path):
    make_image_folder(tmp_path, {"train/happy": 4, "train/sad": 4, "test/happy": 2, "test/sad": 2})
    (tmp_path / "train/fear").mkdir()
    (tmp_path / "train/fear/1.raw").write_bytes(b"?")
    (tmp_path / "train/disgust").mkdir()
    with pytest.raises(FaultyData) as caught:
        load(tmp_path, "train")
    empty, raw = (str(fault) for fault in caught.value.faults)
    assert empty.endswith("train/disgust: this class folder holds no picture")
    assert raw.endswith(
        "this class folder holds no picture, but 1 other files, such as 1.raw; is it another kind of picture?"
    )
    for picture in (tmp_path / "train/sad").iterdir():
        picture.write_bytes(b"half a picture")
    assert load(tmp_path, "train", skip_bad=True).class_names == ("happiness", "sadness")  # none of sad is left


def test_pictures_may_lie_in_folders_of_their_class(tmp_path):
    make_image_folder(tmp_path, {"train/happy/anna": 3, "train/happy/ben": 3, "train/sad": 4, "test/sad": 1})
    assert counts_of(tmp_path)["test"] == [0, 1]
    assert sum(counts[0] for counts in counts_of(tmp_path).values()) == 6


def test_the_folder_that_one_stands_in(tmp_path, monkeypatch):
    root = make_image_folder(tmp_path / "set", {"happy": 20, "sad": 20})
    names = load(root, "train").names
    monkeypatch.chdir(root)
    assert load(Path(), "train").names == names
    monkeypatch.chdir(tmp_path)
    assert load(Path("set"), "train").names == names
