"""CK+: last frames by label, first frames neutral, people in one part each."""

from __future__ import annotations

import functools
import shutil

import pytest
from helpers.tiny_formats import CK_FRAMES, CK_LABELS, make_ck48, make_ckplus
from helpers.tiny_sets import faults_of, write_grey, write_lines

from data.datasets import ckplus, load_faces, load_format

load = functools.partial(load_format, ckplus)
LABELS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")  # as published
PEOPLE = {"S005", "S010", "S011", "S014", "S022", "S026"}


def test_three_last_frames_have_the_label_and_the_first_is_neutral(tmp_path):
    faces = load_faces(make_ckplus(tmp_path / "CK+").parent, "all")  # a level down
    found = {
        int(image[0, 0, 0]): faces.class_names[label] for image, label in zip(faces.images, faces.labels, strict=True)
    }
    expected = {}
    for n, label in enumerate(CK_LABELS.values()):
        expected |= {20 * n: "neutral"} | {20 * n + i: LABELS[label] for i in range(CK_FRAMES - 3, CK_FRAMES)}
    assert found == expected
    assert faces.class_names == ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
    assert set(faces.persons.tolist()) == PEOPLE


@pytest.mark.parametrize("whole", [False, True], ids=["a folder", "a zip"])
def test_archives_unpacked_into_folders_of_their_names_hold_the_same(tmp_path, monkeypatch, whole):
    monkeypatch.setattr("data.layout.UNPACKED", tmp_path / "cache")
    plain, packed = make_ckplus(tmp_path / "plain"), tmp_path / "packed"
    names = {"cohn-kanade-images": "extended-cohn-kanade-images", "Emotion": "Emotion_labels"}
    for name, archive in names.items():
        if whole:
            shutil.make_archive(str(packed / archive), "zip", plain, name)
        else:
            shutil.copytree(plain / name, packed / archive / name)
    found = load_faces(shutil.make_archive(str(tmp_path / "CK+"), "zip", packed) if whole else packed, "all")
    expected = load_faces(plain, "all")
    assert [image[0, 0, 0] for image in found.images] == [image[0, 0, 0] for image in expected.images]
    assert found.labels.tolist() == expected.labels.tolist()
    assert found.persons.tolist() == expected.persons.tolist()


def test_each_person_is_in_one_part(tmp_path):
    make_ckplus(tmp_path)
    parts = [set(load(tmp_path, split).persons.tolist()) for split in ("train", "validation", "test")]
    assert set.union(*parts) == PEOPLE
    assert sum(map(len, parts)) == len(PEOPLE)


def test_kaggles_ck48_tells_people_and_classes(tmp_path):
    make_ck48(tmp_path)
    faces = load_faces(tmp_path, "all")
    assert len(faces) == 3 * len(CK_LABELS)
    assert faces.class_names == ("happiness", "surprise", "sadness", "anger", "disgust", "fear")
    assert set(faces.persons.tolist()) == PEOPLE
    for image, label in zip(faces.images, faces.labels, strict=True):
        assert faces.class_names[label] == LABELS[list(CK_LABELS.values())[image[0, 0, 0] // 20]]


def test_what_macos_leaves_beside_the_labels_is_passed_over(tmp_path):
    before = len(load_faces(make_ckplus(tmp_path), "all"))
    leftover = tmp_path / "Emotion/S011/001/._S011_001_00000005_emotion.txt"
    leftover.write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        \xb0\xff")
    assert len(load_faces(tmp_path, "all")) == before


def test_faults(tmp_path):
    make_ckplus(tmp_path)
    write_lines(tmp_path / "Emotion/S010/001/S010_001_00000005_emotion.txt", ["9.0"])
    (tmp_path / "cohn-kanade-images/S011/001").rename(tmp_path / "cohn-kanade-images/S011/009")
    for i in (1, 2, 3):
        (tmp_path / f"cohn-kanade-images/S014/001/S014_001_{i:08}.png").unlink()
    assert faults_of(load, tmp_path) == [
        "Emotion/S010/001/S010_001_00000005_emotion.txt: wanted one number from 0 to 7, found '9.0'",
        "Emotion/S011/001/S011_001_00000005_emotion.txt: the frames of this sequence are not at "
        "cohn-kanade-images/S011/001",
        "Emotion/S014/001/S014_001_00000005_emotion.txt: the sequence has 2 frames; wanted are more than 3",
    ]


def test_a_picture_without_a_subject_in_its_name_is_a_fault(tmp_path):
    make_ck48(tmp_path)
    write_grey(tmp_path / "CK+48/happy/someone.png", 3)
    (fault,) = faults_of(load, tmp_path)
    assert fault == "CK+48/happy: someone.png does not tell its subject, as S010_004_00000017.png does"
