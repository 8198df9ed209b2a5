"""Augmentation of windows: new pictures of the same size, changed where they should be and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from retinaface.training.augment import lit_from_one_side, motion_blurred, relight


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(90, 160, (200, 200, 3), dtype=np.uint8)


@pytest.mark.parametrize("change", [relight, lit_from_one_side, motion_blurred])
def test_changes_give_new_pictures_of_the_same_size_and_leave_theirs_alone(image, change):
    before = image.copy()
    for seed in range(20):
        after = change(image, np.random.default_rng(seed))
        assert after.shape == image.shape
        assert after.dtype == np.uint8
        assert np.array_equal(image, before)


def test_light_from_one_side_falls_off_to_the_other(image):
    flat = np.full((200, 200, 3), 120, np.uint8)
    for seed in range(10):
        lit = lit_from_one_side(flat, np.random.default_rng(seed)).astype(float)[..., 0]
        corners = [lit[:40, :40].mean(), lit[:40, -40:].mean(), lit[-40:, :40].mean(), lit[-40:, -40:].mean()]
        assert max(corners) > 1.3 * min(corners)


def test_a_moving_camera_blurs_along_one_line_and_keeps_the_light():
    dot, flat = np.zeros((41, 41, 3), np.uint8), np.full((41, 41, 3), 120, np.uint8)
    dot[20, 20] = 255
    for seed in range(10):
        y, x = np.nonzero(motion_blurred(dot, np.random.default_rng(seed))[..., 0])
        spread = np.linalg.eigvalsh(np.cov(np.stack([x, y]), ddof=0)) if len(x) > 1 else np.zeros(2)
        assert np.hypot(x - 20, y - 20).max() <= 4
        assert spread[0] <= 0.5 < spread[1] + 0.5
        assert np.abs(motion_blurred(flat, np.random.default_rng(seed)).astype(int) - 120).max() <= 1


def test_red_stays_red():
    picture = np.full((16, 16, 3), (200, 40, 40), np.uint8)
    for seed in range(300):
        red, _, blue = relight(picture, np.random.default_rng(seed)).mean(axis=(0, 1))
        assert red > blue - 3  # grey at most
