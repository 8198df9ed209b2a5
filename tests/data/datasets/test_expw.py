"""ExpW: several faces a picture, each cut out by its box."""

from __future__ import annotations

import functools

import pytest
from helpers.tiny_formats import make_expw
from helpers.tiny_sets import edit_line, faults_of, write_grey

from data.datasets import expw, load_faces, load_format

load = functools.partial(load_format, expw)
LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # as published


def test_each_face_is_cut_out_of_its_picture_and_labelled(tmp_path):
    faces = load_faces(make_expw(tmp_path / "ExpW").parent, "all")
    assert len(faces) == 40
    for name, image, label in zip(faces.names, faces.images, faces.labels, strict=True):
        picture, face = int(name[1:].split(".")[0]), int(name.split("#")[1])
        assert image.shape == (10, 10, 3)
        assert (image == picture + 100 * face).all()
        assert faces.class_names[label] == LABELS[(picture + face) % 7]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("p0.png 1 0 10 20 10 98.0", "wanted 8 fields (image_name, face_id_in_image"),
        ("p0.png 1 0 10 20 10 98.0 7", "the label must be a whole number from 0 to 6, not '7'"),
        ("p0.png 0 0 10 20 10 98.0 1", "p0.png#0 is a duplicate of label.lst:1"),
        ("p0.png 1 0 ten 20 10 98.0 1", "the box must be four numbers, not '0 ten 20 10'"),
    ],
)
def test_faults(tmp_path, row, fault):
    make_expw(tmp_path)
    edit_line(tmp_path / "label/label.lst", 2, row)
    (found,) = faults_of(load, tmp_path)
    assert found.startswith(f"label/label.lst:2: {fault}")


def test_a_missing_picture_and_a_box_outside_are_faults(tmp_path):
    make_expw(tmp_path)
    edit_line(tmp_path / "label/label.lst", 3, "gone.png 0 0 0 10 10 99 1")
    edit_line(tmp_path / "label/label.lst", 4, "p1.png 1 0 50 60 10 99 1")
    found = [fault for split in ("train", "validation", "test") for fault in try_faults(tmp_path, split)]
    assert any(fault.startswith("label/label.lst:3: cannot open image/origin/gone.png") for fault in found)
    assert any(fault.startswith("label/label.lst:4: the face's box (50, 0, 60, 10) lies outside") for fault in found)


def test_of_two_pictures_with_a_name_the_one_at_the_top_is_meant(tmp_path):
    expected = load_faces(make_expw(tmp_path), "all")
    write_grey(tmp_path / "image/origin/z/p3.png", 250, side=20)
    found = load_faces(tmp_path, "all")
    assert [image.mean() for image in found.images] == [image.mean() for image in expected.images]


def test_two_pictures_with_a_name_in_other_folders_are_a_fault(tmp_path):
    make_expw(tmp_path)
    for part in ("one", "two"):
        write_grey(tmp_path / f"image/origin/{part}/p3.png", 250, side=20)
    (tmp_path / "image/origin/p3.png").unlink()
    assert faults_of(load, tmp_path) == [
        f"label/label.lst:{line}: one picture must be called p3.png, but 2 are (one/p3.png, two/p3.png); keep one"
        for line in (7, 8)
    ]


def try_faults(root, split: str) -> list[str]:
    try:
        return faults_of(load, root, split)
    except pytest.fail.Exception:  # this part has none
        return []
