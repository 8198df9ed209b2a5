"""Which faces are examined, and on which the clock runs; the command itself is tested in test_faithfulness.py."""

from __future__ import annotations

import numpy as np
import pytest

from data.datasets import load_faces
from data.sample_set import write_sample_set
from evaluation.explanations.report import crops_of, drawn
from support import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_sample_set(tmp_path_factory.mktemp("sample"))


def test_faces_are_drawn_by_lot_and_in_order(folder):
    faces = load_faces(folder, "test")
    some = drawn(faces, 5, seed=1)
    assert len(some) == 5
    assert list(some.names) == sorted(some.names)
    assert some.names != drawn(faces, 5, seed=2).names
    assert len(drawn(faces, 500, seed=1)) == 12
    with pytest.raises(UserError, match="two faces"):
        drawn(faces.rows(np.array([0])), 5, seed=0)


def test_five_crops_whatever_there_is(folder):
    faces = load_faces(folder, "test")
    assert crops_of(faces).shape == crops_of(faces.rows(np.array([0, 1]))).shape == (5, 48, 48, 3)
