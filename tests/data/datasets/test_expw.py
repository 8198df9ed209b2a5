"""ExpW: several faces a picture, each cut out by its box."""

from __future__ import annotations

import functools

import pytest
from helpers.tiny_formats import make_expw
from helpers.tiny_sets import edit_line, faults_of

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


def try_faults(root, split: str) -> list[str]:
    try:
        return faults_of(load, root, split)
    except pytest.fail.Exception:  # this part has none
        return []
