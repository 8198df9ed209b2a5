"""FERG: a folder a character, in it one an expression; characters are people."""

from __future__ import annotations

import functools

from helpers.tiny_formats import FERG_CHARACTERS, FERG_WORDS, make_ferg
from helpers.tiny_sets import faults_of

from data.datasets import ferg, load_faces, load_format
from support.emotions import canonical_name

load = functools.partial(load_format, ferg)


def test_folders_tell_character_and_expression(tmp_path):
    faces = load_faces(make_ferg(tmp_path), "all")
    assert len(faces) == 84
    for image, label, person in zip(faces.images, faces.labels, faces.persons, strict=True):
        level = int(image[0, 0, 0])
        assert person == FERG_CHARACTERS[level // 30]
        assert faces.class_names[label] == canonical_name(FERG_WORDS[(level % 30 - 1) // 3])


def test_each_character_is_in_one_part(tmp_path):
    make_ferg(tmp_path)
    parts = [set(load(tmp_path, split).persons.tolist()) for split in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [4, 1, 1]
    assert set.union(*parts) == set(FERG_CHARACTERS)


def test_a_folder_without_pictures_is_a_fault(tmp_path):
    make_ferg(tmp_path)
    for path in (tmp_path / "FERG_DB_256/ray/ray_joy").iterdir():
        path.unlink()
    assert faults_of(load, tmp_path) == ["FERG_DB_256/ray/ray_joy: this folder of an expression holds no picture"]
