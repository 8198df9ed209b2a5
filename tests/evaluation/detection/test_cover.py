"""What covers a face lies on it and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.detection.cover import cloth, covered

LANDMARKS = np.array([[80.0, 80], [120, 80], [100, 100], [85, 120], [115, 120]])


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(90, 160, (200, 200, 3), dtype=np.uint8)


def test_cloth_is_a_new_picture_of_the_same_size(image):
    before = image.copy()
    for seed in range(20):
        after = cloth(image, np.random.default_rng(seed))
        assert after.shape == image.shape
        assert after.dtype == np.uint8
        assert np.array_equal(image, before)


def test_a_cover_lies_on_the_face_and_nowhere_else(image):
    for seed in range(40):
        changed = (covered(image, LANDMARKS, np.random.default_rng(seed)) != image).any(axis=2)
        y, x = np.nonzero(changed)
        assert changed.sum() > 100
        assert 20 < x.min() < x.max() < 180  # within two eye distances of the face's middle
        assert 20 < y.min() < y.max() < 190


def test_most_covers_hide_the_mouth_and_leave_the_eyes_free(image):
    changed = np.stack(
        [(covered(image, LANDMARKS, np.random.default_rng(seed)) != image).any(axis=2) for seed in range(60)]
    )
    assert changed[:, 120, 85:116].mean() > 0.6
    assert changed[:, 80, [80, 120]].mean() < 0.25
