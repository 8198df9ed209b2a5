"""torch changes a batch as OpenCV changes each picture: the same parameters, pixels within interpolation's rounding."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
import torch

from data.augment import Augment, Keys, changed, noise_levels
from data.device.drawing import pack
from data.device.loader import begins_of, joined
from data.device.render import reflected, render

STRONG = Augment.of_strength(2.0, light=0.6, noise=12.0)
OFF = Augment(mirror=False, rotation_deg=0, scale=0, stretch=0, shift=0, gamma=0, blur=0, erase=0)
WARP = ["mirror", "rotation_deg", "scale", "stretch", "shift"]


def images_of(count: int) -> list[np.ndarray]:
    """Smooth pictures in colour of four sizes; the smallest is all border when it is warped."""
    rng = np.random.default_rng(1)
    sizes = [(48, 48), (30, 61), (120, 100), (5, 4)]
    coarse = [rng.integers(0, 256, (9, 9, 3), dtype=np.uint8) for _ in range(count)]
    return [cv2.resize(c, sizes[i % 4], interpolation=cv2.INTER_CUBIC) for i, c in enumerate(coarse)]


def both(augment: Augment, images: list[np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """The pictures as torch and as OpenCV change them, int."""
    changes = Keys(0, 2, np.arange(len(images)), np.zeros(len(images), int)).changes(augment, size=size)
    pixels, sizes_hw = joined(iter(images))
    tensors = [torch.from_numpy(array) for array in (pixels, begins_of(sizes_hw), sizes_hw)]
    found = render(*tensors, pack(changes, size=size), size=size, upload=torch.from_numpy)
    assert found.dtype == torch.uint8
    expected = [changed(image, change, size=size) for image, change in zip(images, changes, strict=True)]
    return found.numpy().astype(int), np.stack(expected).astype(int)


@pytest.mark.parametrize(
    ("names", "most", "mean"),
    [
        (WARP, 1, 0.001),
        (["light"], 1, 0.001),
        (["gamma"], 1, 0.001),
        (["noise"], 0, 0.0),
        (["erase"], 0, 0.0),
        (["blur"], 2, 0.2),  # OpenCV enlarges in fixed point
        ([field.name for field in dataclasses.fields(Augment)], 4, 0.1),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else None,
)
def test_pixels_are_those_of_opencv(names, most, mean):
    augment = dataclasses.replace(OFF, **{name: getattr(STRONG, name) for name in names})
    images = images_of(60)
    if not set(WARP) & set(names):
        images = images[::4]  # those of the output's own size, which then is not resized
    found, expected = both(augment, images, 48)
    difference = np.abs(found - expected)
    assert difference.max() <= most
    assert difference.mean() <= mean
    plain, _ = both(OFF, images, 48)
    assert np.abs(plain - expected).mean() > 0.3  # the change is there


def test_without_changes_the_pictures_stay_and_a_small_output_is_the_same_warp():
    images = images_of(8)[::4]
    found, _ = both(OFF, images, 48)
    np.testing.assert_array_equal(found, images)
    small, expected = both(OFF, images_of(4), 30)
    assert small.shape == (4, 30, 30, 3)
    assert np.abs(small - expected).max() <= 1


def test_indices_past_the_border_are_reflected_as_numpy_pads():
    for count in (1, 2, 5):
        padded = np.pad(np.arange(count), 7, mode="reflect")
        found = reflected(torch.arange(-7, count + 7), torch.tensor(count))
        np.testing.assert_array_equal(found.numpy(), padded)


def test_noise_is_the_same_in_both_libraries():
    places = np.arange(5000) + (123456789 << 32)
    np.testing.assert_allclose(noise_levels(torch.from_numpy(places)).numpy(), noise_levels(places), atol=1e-6)
