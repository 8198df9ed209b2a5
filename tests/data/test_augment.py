"""Augmentation keeps the expression: nothing upside down, the same for the same seed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from data.augment import Augment, erase_rectangle

OFF = Augment(mirror=False, rotation_deg=0, scale=0, stretch=0, shift=0, gamma=0, blur=0, erase=0)


@pytest.fixture
def image() -> np.ndarray:
    """Dark above, light below, with a red dot at the left."""
    image = np.full((48, 48, 3), 40, np.uint8)
    image[24:] = 200
    image[20:28, 4:12] = [255, 0, 0]
    return image


def test_with_all_turned_off_the_picture_stays(image, rng):
    np.testing.assert_array_equal(OFF(image, rng, size=48), image)


def test_a_seed_gives_one_picture_and_the_input_stays(image):
    before = image.copy()
    first, second, other = (Augment()(image, np.random.default_rng(seed), size=36) for seed in (1, 1, 2))
    assert first.shape == (36, 36, 3)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(image, before)


def test_no_face_is_turned_upside_down_and_half_are_mirrored(image):
    left = 0
    for seed in range(200):
        changed = dataclasses.replace(Augment(), erase=0.0)(image, np.random.default_rng(seed), size=48).astype(int)
        assert changed[:12].mean() < changed[-12:].mean()
        redness = (changed[..., 0] - changed[..., 1]).clip(0).sum(axis=0)
        left += redness[:24].sum() > redness[24:].sum()
    assert 70 < left < 130


@pytest.mark.parametrize("name", ["rotation_deg", "scale", "stretch", "shift", "gamma", "blur", "erase"])
def test_every_strength_does_something(image, name):
    strength: dict[str, Any] = {name: 1.0}
    change = dataclasses.replace(OFF, **strength)
    assert any(not np.array_equal(change(image, np.random.default_rng(s), size=48), image) for s in range(3))


def test_erasing_keeps_to_its_share():
    for seed in range(50):
        image = np.full((48, 48, 3), 7, np.uint8)
        erase_rectangle(image, np.random.default_rng(seed))
        share = (image != 7).any(axis=2).mean()
        assert 0.02 < share < 0.22 or (image == 7).all()  # a fill of 7 cannot be seen
