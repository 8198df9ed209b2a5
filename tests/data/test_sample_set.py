"""The drawn data set: the same every time, shaped like FER+, of eight expressions."""

from __future__ import annotations

import numpy as np
import pytest

from data.datasets import find_format, load_faces
from data.face_set import without_duplicates
from data.sample_set import FACES, TAKEN_FOR, write_sample_set
from support.emotions import EMOTIONS

FEW = {"train": 32, "validation": 16, "test": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_sample_set(tmp_path_factory.mktemp("sample"), faces=FEW)


def test_it_is_a_ferplus_data_set_of_all_expressions(folder):
    assert find_format(folder).NAME == "ferplus"
    assert FEW.keys() == FACES.keys()
    for split, count in FEW.items():
        faces = load_faces(folder, split)
        assert len(faces) == count
        assert {image.shape for image in faces.images} == {(48, 48, 3)}
        assert np.bincount(faces.labels).tolist() == [count // 8] * 8
        assert faces.class_names == EMOTIONS
        assert faces.votes[np.arange(count), faces.labels].min() >= 0.6


def test_who_disagrees_names_what_the_expression_is_taken_for(folder):
    faces = load_faces(folder, "train")
    for row, label in enumerate(faces.labels):
        named = {faces.class_names[column] for column in np.flatnonzero(faces.votes[row])}
        name = faces.class_names[label]
        assert named <= {name, TAKEN_FOR[name]}


def test_no_picture_is_in_two_splits_and_all_are_the_same_again(folder, tmp_path):
    train, test = load_faces(folder, "train"), load_faces(folder, "test")
    assert len(without_duplicates(test, train)) == len(test)
    again = load_faces(write_sample_set(tmp_path, faces=FEW), "test")
    np.testing.assert_array_equal(list(again.images), list(test.images))
    np.testing.assert_array_equal(again.votes, test.votes)
