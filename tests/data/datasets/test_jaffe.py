"""JAFFE: person and expression from the name of each picture."""

from __future__ import annotations

import functools

from helpers.tiny_formats import JAFFE_PEOPLE, make_jaffe
from helpers.tiny_sets import faults_of, write_grey

from data.datasets import jaffe, load_faces, load_format

load = functools.partial(load_format, jaffe)
WORDS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


def test_names_tell_person_and_expression(tmp_path):
    faces = load_faces(make_jaffe(tmp_path / "jaffe").parent, "all")
    assert len(faces) == 42
    for name, image, label, person in zip(faces.names, faces.images, faces.labels, faces.persons, strict=True):
        level = int(image[0, 0, 0])
        assert (person, faces.class_names[label]) == (JAFFE_PEOPLE[level // 7], WORDS[level % 7])
        assert name.startswith(person)


def test_each_person_is_in_one_part(tmp_path):
    make_jaffe(tmp_path)
    parts = [set(load(tmp_path, split).persons.tolist()) for split in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [4, 1, 1]
    assert set.union(*parts) == set(JAFFE_PEOPLE)


def test_a_picture_with_another_name_is_a_fault(tmp_path):
    write_grey(make_jaffe(tmp_path) / "holiday.tiff", 3)
    (fault,) = faults_of(load, tmp_path)
    assert fault.endswith("holiday.tiff does not tell person and expression, as KA.AN1.39.tiff does")
    assert len(load(tmp_path, "train", skip_bad=True)) == 28
