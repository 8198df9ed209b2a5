"""The made-up data set: small, the same every time, and shaped like FER+."""

from __future__ import annotations

import numpy as np
import pytest

from data.datasets import find_format, load_faces
from data.face_set import without_duplicates
from data.sample_set import FACES, write_sample_set


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_sample_set(tmp_path_factory.mktemp("sample"))


def test_it_is_a_ferplus_data_set_of_two_expressions(folder):
    assert find_format(folder).NAME == "ferplus"
    for split, count in FACES.items():
        faces = load_faces(folder, split)
        assert len(faces) == count
        assert {image.shape for image in faces.images} == {(48, 48, 3)}
        assert {faces.class_names[label] for label in faces.labels} == {"happiness", "neutral"}
        assert faces.votes[np.arange(count), faces.labels].min() >= 0.6


def test_no_picture_is_in_two_splits_and_all_are_the_same_again(folder, tmp_path):
    train, test = load_faces(folder, "train"), load_faces(folder, "test")
    assert len(without_duplicates(test, train)) == len(test)
    again = load_faces(write_sample_set(tmp_path), "test")
    np.testing.assert_array_equal(list(again.images), list(test.images))
    np.testing.assert_array_equal(again.votes, test.votes)
