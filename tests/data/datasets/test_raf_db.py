"""RAF-DB in its two layouts: names, joins by name, every kind of fault with its line."""

from __future__ import annotations

import functools
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_formats import make_raf_kaggle
from helpers.tiny_sets import (
    RAF_WORDS,
    edit_line,
    faults_of,
    make_raf_official,
    make_raf_reference,
    raf_level,
    raf_names,
    raf_votes,
    write_grey,
    write_lines,
)

from data.datasets import load_format, raf_db
from data.datasets.raf_db import find
from data.face_set import FaceSet
from data.faults import FaultyData
from support import UserError

load = functools.partial(load_format, raf_db)

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
LIST = "EmoLabel/list_patition_label.txt"


@pytest.fixture
def official(tmp_path):
    return make_raf_official(tmp_path / "RAF")


@pytest.fixture
def reference(tmp_path):
    return make_raf_reference(tmp_path / "RAF")


def write_votes(root: Path, *, form=str, name: str = "votes.csv", header: str = "", separator: str = ",") -> Path:
    rows = [separator.join([f"{name}.jpg", *map(form, raf_votes(name))]) for name in raf_names()]
    random.Random(0).shuffle(rows)
    return write_lines(root / "EmoLabel" / name, [header] * bool(header) + rows)


def check_faces(faces: FaceSet, *, votes: bool) -> None:
    """Each face has its own picture, label and votes, by an account that shares no code with the format."""
    assert faces.class_names == CLASSES
    assert faces.has_votes == votes
    for image, share, label, name in zip(faces.images, faces.votes, faces.labels, faces.names, strict=True):
        key = name.removesuffix("_aligned.jpg")
        assert image.shape == (10, 10, 3)
        assert abs(int(image.mean()) - raf_level(key)) <= 1
        assert CLASSES[label] == RAF_WORDS[raf_names()[key]]
        by_word = dict(zip(CLASSES, share.tolist(), strict=True))
        counts = raf_votes(key) if votes else [60 * (word == CLASSES[label]) for word in RAF_WORDS]
        assert by_word == pytest.approx({w: n / sum(counts) for w, n in zip(RAF_WORDS, counts, strict=True)})


def test_the_official_layout_without_votes(official):
    parts = {split: load(official, split) for split in ("train", "validation", "test")}
    assert {split: len(faces) for split, faces in parts.items()} == {"train": 35, "validation": 7, "test": 7}
    for faces in parts.values():
        check_faces(faces, votes=False)
        assert len(set(faces.labels)) == 7  # one of six in each class is validation's
        assert faces.attributes == {}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"form": lambda count: f"{count / 100:.4f}"},
        {"name": "distribution.txt", "separator": " "},
    ],
    ids=["counts", "shares", "space-separated text"],
)
def test_votes_are_joined_by_name(official, options):
    write_votes(official, **options)
    for split in ("train", "validation", "test"):
        check_faces(load(official, split), votes=True)


@pytest.mark.parametrize("name", ["votes.csv", "distribution.txt"])
def test_what_macos_leaves_beside_the_votes_is_passed_over(official, name):
    path = write_votes(official, name=name, separator="," if name == "votes.csv" else " ")
    (path.parent / f"._{name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        \xb0\xff")
    check_faces(load(official, "test"), votes=True)


def test_a_header_tells_the_order_of_votes(official):
    rows = [[f"{name}.jpg", *map(str, reversed(raf_votes(name)))] for name in raf_names()]
    header = "image,Neutral,Angry,Sad,Happy,Disgust,Fear,Surprise"
    path = write_lines(official / "EmoLabel/votes.csv", [header, *map(",".join, rows)])
    check_faces(load(official, "train"), votes=True)
    edit_line(path, 1, header.replace("Angry", "Bored"))
    with pytest.raises(UserError, match=r"header of .*votes\.csv must name the picture, then surprise, .*Bored"):
        load(official, "train")


def test_the_reference_layout_with_shuffled_rows(reference):
    counts = {}
    for split in ("train", "validation", "test"):
        faces = load(reference, split)
        check_faces(faces, votes=True)
        counts[split] = len(faces)
    assert counts == {"train": 35, "validation": 7, "test": 7}
    assert (load(reference, "test").votes.argmax(axis=1) == load(reference, "test").labels).all()


def test_the_folder_may_be_the_root_or_its_parent(official):
    assert find(official) is not None
    assert find(official.parent) is not None
    assert load(official.parent, "test").names == load(official, "test").names
    assert find(official / "Image") is None
    (official / LIST).unlink()
    assert find(official) is None


def test_the_split_is_the_same_for_both_layouts_and_any_order(tmp_path):
    first, second = make_raf_official(tmp_path / "a"), make_raf_reference(tmp_path / "b")
    lines = (first / LIST).read_text().splitlines()
    held = set(load(first, "validation").names)
    assert held == set(load(second, "validation").names)
    assert held.isdisjoint(load(first, "train").names)
    random.Random(1).shuffle(lines)
    write_lines(first / LIST, lines)
    assert set(load(first, "validation").names) == held


def test_a_picture_named_na_is_no_missing_value(tmp_path):
    root = make_raf_reference(tmp_path)
    with open(root / "EmoLabel/emo_label_test.csv", "a") as labels:
        labels.write("NA.jpg,3\n")
    with open(root / "EmoLabel/emo_distribution_test.csv", "a") as votes:
        votes.write("NA.jpg,0,0,0,4,0,0,0\n")
    write_grey(root / "Image/aligned/NA_aligned.jpg", 99)
    faces = load(root, "test")
    assert faces.names[-1] == "NA_aligned.jpg"
    assert CLASSES[faces.labels[-1]] == "happiness"


def write_attributes(root: Path, name: str, *last: str) -> Path:
    landmarks = ["31.5\t40.2", "68.0\t41.1", "50.3\t60.9", "35.1\t80.0", "66.6\t79.2"]
    return write_lines(root / f"Annotation/manual/{name}_manu_attri.txt", [*landmarks, *last])


def test_attributes_are_read_where_they_are_there(official):
    for i, name in enumerate(raf_names()):
        write_attributes(official, name, str(i % 3), str(2 - i % 3), str(i % 5))
    faces = load(official, "test")  # rows 42 to 48 of the list
    assert faces.attributes["gender"].tolist() == ["male", "female", "unsure", "male", "female", "unsure", "male"]
    assert faces.attributes["race"].tolist()[:3] == ["Asian", "African-American", "Caucasian"]
    assert faces.attributes["age"].tolist() == ["20-39", "40-69", "70+", "0-3", "4-19", "20-39", "40-69"]
    assert faces.rows(np.array([2])).attributes["gender"].tolist() == ["unsure"]


@pytest.mark.parametrize("whole", [False, True], ids=["a folder", "a zip"])
def test_attributes_may_still_be_in_their_archive(official, tmp_path, monkeypatch, whole):
    monkeypatch.setattr("data.layout.UNPACKED", tmp_path / "cache")
    for i, name in enumerate(raf_names()):
        write_attributes(official, name, str(i % 3), "1", "2")
    for parent, name in (("Annotation", "manual"), ("Image", "aligned")):
        shutil.make_archive(str(official / parent / name), "zip", official / parent, name)
        shutil.rmtree(official / parent / name)
    data = shutil.make_archive(str(tmp_path / "RAF-DB"), "zip", official) if whole else official
    faces = load(data, "test")
    assert [image[0, 0, 0] for image in faces.images] == [raf_level(f"test_{i:04}") for i in range(1, 8)]
    assert faces.attributes["gender"].tolist() == ["male", "female", "unsure", "male", "female", "unsure", "male"]


def test_attributes_at_fault_are_reported(official):
    for name in raf_names():
        write_attributes(official, name, "0", "1", "2")
    write_attributes(official, "test_0001", "0", "3", "2")
    write_attributes(official, "test_0002", "0", "1")
    (official / "Annotation/manual/test_0003_manu_attri.txt").unlink()
    faults = faults_of(load, official, "test")
    assert faults[0] == (
        f"{LIST}:43: Annotation/manual/test_0001_manu_attri.txt:7: race must be a whole number from 0 to 2, not '3'"
    )
    assert "test_0002_manu_attri.txt must have five landmarks, gender, race and age" in faults[1]
    assert faults[2].startswith(f"{LIST}:45: cannot read Annotation/manual/test_0003")
    assert len(load(official, "test", skip_bad=True)) == 4


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("train_00003.jpg 8", f"{LIST}:3: the label must be a whole number from 1 to 7, not '8'"),
        ("train_00003.jpg 0", f"{LIST}:3: the label must be a whole number from 1 to 7, not '0'"),
        (f"train_00003.jpg {'1' * 5000}", f"{LIST}:3: the label must be a whole number from 1 to 7, not '{'1' * 59}"),
        ("train_00002.jpg 3", f"{LIST}:3: train_00002 is a duplicate of list_patition_label.txt:2"),
        ("Train_00002.JPG 3", f"{LIST}:3: train_00002 is a duplicate of list_patition_label.txt:2"),
        ("train_00002_aligned.jpg 3", f"{LIST}:3: train_00002 is a duplicate of list_patition_label.txt:2"),
        ("valid_3.jpg 3", f"{LIST}:3: the picture's name must begin with train_ or test_, not 'valid_3'"),
        (
            "train_00003.jpg,3",
            f"{LIST}:3: wanted 2 fields (a picture's name and its label), found 1: 'train_00003.jpg,3'; "
            "is the delimiter another?",
        ),
    ],
)
def test_label_faults(official, text, fault):
    edit_line(official / LIST, 3, text)
    assert faults_of(load, official, "validation") == [fault]  # whichever split is asked for
    names = {name for split in ("train", "validation") for name in load(official, split, skip_bad=True).names}
    assert names == {f"train_{i:05}_aligned.jpg" for i in range(1, 43)} - {"train_00003_aligned.jpg"}


def test_a_picture_in_train_and_test_is_a_duplicate(reference):
    edit_line(reference / "EmoLabel/emo_label_test.csv", 2, "train_00001.jpg,1")
    (fault,) = faults_of(load, reference, "test")
    assert fault == "EmoLabel/emo_label_test.csv:2: train_00001 is a duplicate of emo_label_train.csv:1"


def test_missing_and_broken_pictures(official):
    (official / "Image/aligned/test_0002_aligned.jpg").unlink()
    (official / "Image/aligned/test_0004_aligned.jpg").write_bytes(b"")
    missing, broken = faults_of(load, official, "test")
    assert missing.startswith(f"{LIST}:44: cannot open Image/aligned/test_0002_aligned.jpg: No such file")
    assert broken.startswith(f"{LIST}:46: Image/aligned/test_0004_aligned.jpg is not a picture")
    assert len(load(official, "test", skip_bad=True)) == 5
    assert len(load(official, "train")) == 35  # other splits do not decode them


def test_vote_faults_are_told_once(reference):
    path = "EmoLabel/emo_distribution_test.csv"
    edit_line(reference / path, 1, "test_0007.jpg,1,0,0,many,0,0,0")
    assert faults_of(load, reference, "test") == [f"{path}:1: votes must be numbers, not '1 0 0 many 0 0 0'"]
    assert len(load(reference, "test", skip_bad=True)) == 6


def test_a_picture_without_votes_is_a_fault_and_so_is_one_with_two(reference):
    path = "EmoLabel/emo_distribution_test.csv"
    edit_line(reference / path, 1, "TEST_0006.jpg,1,0,0,0,0,0,0")
    double, missing = faults_of(load, reference, "test")
    assert double == f"{path}:2: test_0006 is a duplicate of emo_distribution_test.csv:1"
    assert missing == (
        "EmoLabel/emo_label_test.csv:7: test_0007 has no votes in emo_distribution_test.csv, emo_distribution_train.csv"
    )


def test_a_space_separated_list_read_as_csv_is_detected(reference):
    path = reference / "EmoLabel/emo_label_train.csv"
    path.write_text(path.read_text().replace(",", " "))
    faults = faults_of(load, reference)
    assert len(faults) == 42
    assert faults[41].startswith("EmoLabel/emo_label_train.csv:42: wanted 2 fields")
    assert faults[41].endswith("is the delimiter another?")
    with pytest.raises(FaultyData, match=r"42 faults[\s\S]*and 32 more"):
        load(reference, "train")
    with pytest.raises(UserError, match="no usable face for train"):
        load(reference, "train", skip_bad=True)


def test_space_separated_votes_in_a_csv_are_detected(official):
    write_votes(official, separator=" ")
    faults = faults_of(load, official)
    assert faults[0].startswith("EmoLabel/votes.csv:1: wanted 8 fields")
    assert faults[0].endswith("is the delimiter another?")


@pytest.mark.parametrize("make", [make_raf_official, make_raf_reference])
def test_pictures_are_found_with_and_without_aligned_in_any_case(tmp_path, make):
    make(tmp_path)
    folder = tmp_path / "Image/aligned"
    for number, path in enumerate(sorted(folder.iterdir())):
        stem = path.stem.removesuffix("_aligned")
        path.rename(folder / (f"{stem}.JPG", f"{stem.upper()}_ALIGNED.jpg", path.name)[number % 3])
    faces = load(tmp_path, "test")
    assert [image[0, 0, 0] for image in faces.images] == [raf_level(f"test_{i:04}") for i in range(1, 8)]
    assert faces.names[:3] == ("test_0001.JPG", "TEST_0002_ALIGNED.jpg", "test_0003_aligned.jpg")


def test_pictures_may_still_be_in_their_archive(tmp_path, monkeypatch):
    monkeypatch.setattr("data.layout.UNPACKED", tmp_path / "cache")
    root = make_raf_official(tmp_path / "basic")
    expected = [image[0, 0, 0] for image in load(root, "test").images]
    shutil.make_archive(str(root / "Image/aligned"), "zip", root / "Image", "aligned")
    shutil.rmtree(root / "Image/aligned")
    assert find(root) is not None
    assert [image[0, 0, 0] for image in load(root, "test").images] == expected


def test_kaggles_export(tmp_path):
    make_raf_kaggle(tmp_path)
    assert find(tmp_path) is not None
    for split in ("train", "test"):
        names = {raf_level(name): number for name, number in raf_names().items() if name.startswith(split)}
        parts = [load(tmp_path, part) for part in ([split, "validation"] if split == "train" else [split])]
        found = {
            int(image[0, 0, 0]): RAF_WORDS.index(CLASSES[label])
            for faces in parts
            for image, label in zip(faces.images, faces.labels, strict=True)
        }
        assert found == names
        assert parts[0].class_names == CLASSES


def test_kaggles_folder_and_list_must_agree(tmp_path):
    make_raf_kaggle(tmp_path)
    edit_line(tmp_path / "test_labels.csv", 2, "test_0001_aligned.jpg,4")
    (fault,) = faults_of(load, tmp_path, "test")
    assert fault == "DATASET/test/1: test_0001_aligned.jpg lies with surprise, listed is happiness"
