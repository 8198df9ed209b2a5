"""Which faces are tested and timed; the command itself is tested in test_main.py."""

from __future__ import annotations

import numpy as np
import pytest

from data.datasets import load_faces
from data.sample_set import write_sample_set
from evaluation.explanations.report import crops_for_timing, sample_faces
from support import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_sample_set(tmp_path_factory.mktemp("sample"))


def test_faces_are_sampled_at_random_and_kept_in_order(folder):
    faces = load_faces(folder, "test")
    some = sample_faces(faces, 5, seed=1)
    assert len(some) == 5
    assert list(some.names) == sorted(some.names)
    assert some.names != sample_faces(faces, 5, seed=2).names
    assert len(sample_faces(faces, 500, seed=1)) == 12
    with pytest.raises(UserError, match="two faces"):
        sample_faces(faces.rows(np.array([0])), 5, seed=0)


def test_there_are_five_crops_however_few_faces(folder):
    faces = load_faces(folder, "test")
    assert crops_for_timing(faces).shape == crops_for_timing(faces.rows(np.array([0, 1]))).shape == (5, 48, 48, 3)
