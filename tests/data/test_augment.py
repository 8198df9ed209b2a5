"""Augmentation keeps the expression: nothing upside down, the same for the same seed."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from data.augment import Augment, changed, draw_rectangle, noise_levels, warp_matrix

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


@pytest.mark.parametrize(
    "name", ["rotation_deg", "scale", "stretch", "shift", "gamma", "blur", "erase", "light", "noise"]
)
def test_every_strength_does_something(image, name):
    strength: dict[str, Any] = {name: 1.0}
    change = dataclasses.replace(OFF, **strength)
    assert any(not np.array_equal(change(image, np.random.default_rng(s), size=48), image) for s in range(3))


def test_erasing_keeps_to_its_share():
    for seed in range(50):
        (top, left, height, width), fill = draw_rectangle(np.random.default_rng(seed), size=48)
        assert 0.02 < height * width / 48**2 < 0.22
        assert min(top, left) >= 0
        assert max(top + height, left + width) <= 48
        assert fill.shape in ((1, 1, 1), (height, width, 1))


@pytest.mark.parametrize("strength", [0, 0.5, 4])
def test_light_and_noise_are_as_given_whatever_the_strength(strength):
    augment = Augment.of_strength(strength, light=0.5, noise=64)
    assert (augment.light, augment.noise) == (0.5, 64)
    assert augment.rotation_deg == strength * Augment().rotation_deg


def test_light_and_noise_leave_the_other_changes_as_they_were():
    for seed in range(20):
        plain, more = (
            augment.draw(np.random.default_rng(seed), size=48) for augment in (Augment(), Augment(light=0.5, noise=9.0))
        )
        for name, value in plain._asdict().items():
            if name not in ("light_xy", "noise", "noise_seed"):
                np.testing.assert_array_equal(getattr(more, name), value)


def test_light_falls_from_one_side_and_noise_has_its_deviation():
    grey, plain = np.full((64, 64, 3), 100, np.uint8), OFF.draw(np.random.default_rng(0), size=64)
    lit = changed(grey, plain._replace(light_xy=(0.5, 0.0)), size=64)
    np.testing.assert_array_equal(lit[0, [0, -1], 0], [50, 150])
    assert (lit == lit[:1]).all()
    assert (np.diff(lit[0, :, 0].astype(int)) >= 0).all()
    noisy = changed(grey, plain._replace(noise=8.0, noise_seed=5), size=64).astype(float) - 100
    assert abs(noisy.mean()) < 0.5
    assert noisy.std() == pytest.approx(8, rel=0.05)
    other = changed(grey, plain._replace(noise=8.0, noise_seed=6), size=64).astype(float) - 100
    assert abs(np.corrcoef(noisy[..., 0].ravel(), other[..., 0].ravel())[0, 1]) < 0.1


def test_noise_is_nearly_gaussian_and_without_a_pattern():
    levels = noise_levels(np.arange(10**5) + (7 << 32))
    assert levels.std() == pytest.approx(1, abs=0.01)
    shares = [(np.abs(levels) < deviations).mean() for deviations in (1, 2)]
    np.testing.assert_allclose(shares, [0.683, 0.954], atol=0.015)
    assert all(abs(np.corrcoef(levels[:-lag], levels[lag:])[0, 1]) < 0.01 for lag in (1, 48, 224))


def test_changes_are_as_large_and_as_frequent_as_their_settings_say():
    augment, size = Augment(light=0.3, noise=6.0), 48
    changes = [augment.draw(np.random.default_rng(seed), size=size) for seed in range(2000)]
    drawn = {name: np.array([getattr(change, name) for change in changes]) for name in changes[0]._fields[:-1]}
    assert np.rad2deg(drawn["angle"]).std() == pytest.approx(augment.rotation_deg, rel=0.1)
    largest = {
        "scale": (np.log(drawn["scale"]), augment.scale),
        "stretch": (np.log(drawn["stretch"]), augment.stretch),
        "gamma": (np.log(drawn["gamma"]), augment.gamma),
        "shift": (drawn["shift_xy"], augment.shift * size),
        "light": (np.abs(drawn["light_xy"]).sum(axis=1), augment.light),
        "noise": (drawn["noise"], augment.noise),
    }
    for name, (values, most) in largest.items():
        assert 0.95 * most < np.abs(values).max() <= most, name
    for values in (drawn["shift_xy"][:, 0], drawn["shift_xy"][:, 1], np.log(drawn["scale"])):
        assert abs(values.mean()) < 0.1 * np.abs(values).max()
    coarse = drawn["resolution"][drawn["resolution"] != 1]
    assert len(coarse) / 2000 == pytest.approx(augment.blur, abs=0.03)
    assert 0.4 <= coarse.min() < coarse.max() <= 0.9
    assert (drawn["erased"][:, 2] > 0).mean() == pytest.approx(augment.erase, abs=0.05)


def test_the_aspect_changes_by_the_square_of_the_stretch():
    augment = dataclasses.replace(OFF, stretch=0.06)
    log_aspect = []
    for seed in range(500):
        change = augment.draw(np.random.default_rng(seed), size=48)
        (wide, _, _), (_, high, _) = warp_matrix(change, (48, 48), 48)
        assert (wide, high) == pytest.approx((change.stretch, 1 / change.stretch))
        log_aspect.append(np.log(wide / high))
    assert 0.11 < np.abs(log_aspect).max() <= 0.12


def test_what_is_erased_lies_where_it_was_drawn_in_one_level_or_in_noise(image):
    change = OFF.draw(np.random.default_rng(0), size=48)._replace(erased=(5, 20, 9, 13), fill=np.full((9, 13, 1), 7))
    found = changed(image, change, size=48)
    assert (found[5:14, 20:33] == 7).all()
    image[5:14, 20:33] = 7
    np.testing.assert_array_equal(found, image)
    fills = [draw_rectangle(np.random.default_rng(seed), size=48)[1].size > 1 for seed in range(200)]
    assert 70 < sum(fills) < 130
