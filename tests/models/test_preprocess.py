"""Preprocess: numbers against OpenCV and numpy."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from models.preprocess import STANDARD_DEVIATION_FLOOR, Preprocess
from support import UserError


def test_grey_is_opencvs(rng):
    crops = rng.integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    found = Preprocess((48, 48), channels=1, mean=(0.0,), std=(1.0,))(crops) * 255
    expected = np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops])
    np.testing.assert_allclose(found[:, 0], expected, atol=0.51)  # OpenCV rounds


def test_each_picture_is_standardised_by_itself(rng):
    crops = rng.integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    crops[1] = crops[1] // 4 + 100  # less contrast, more light
    x = Preprocess((48, 48), channels=3)(crops).numpy()
    np.testing.assert_allclose(x.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=(1, 2, 3)), 1, atol=1e-4)
    flat = Preprocess((48, 48), channels=3)(np.full((1, 48, 48, 3), 77, np.uint8))
    assert flat.abs().max() == 0
    nearly = np.full((1, 48, 48, 3), 77, np.uint8)
    nearly[:, ::2] += 1
    assert Preprocess((48, 48))(nearly).abs().max() < 1 / STANDARD_DEVIATION_FLOOR  # noise is not blown up


def test_exposure_shows_only_below_the_floor(rng):
    crop = np.repeat(rng.integers(0, 256, (1, 48, 48, 1), dtype=np.uint8), 3, axis=3)  # grey, a deviation of 74
    whole, half, dark = (Preprocess((48, 48), channels=1).array((crop * share).astype(np.uint8))
                         for share in (1, 0.5, 0.05))  # fmt: skip
    np.testing.assert_allclose(half, whole, atol=0.03)
    assert dark.std() == pytest.approx((crop * 0.05).astype(np.uint8).std() / STANDARD_DEVIATION_FLOOR)


def test_mean_and_std_by_hand():
    crop = np.array([[[[255, 0, 51]]]], np.uint8)
    x = Preprocess((1, 1), mean=(0.5, 0.5, 0.0), std=(0.5, 0.25, 1.0))(crop)
    np.testing.assert_allclose(x[0, :, 0, 0], [1, -2, 0.2], rtol=1e-6)


def test_reducing_averages():
    stripes = np.zeros((1, 96, 96, 3), np.uint8)
    stripes[:, :, ::2] = 200
    x = Preprocess((48, 48), mean=(0, 0, 0), std=(1, 1, 1))(stripes)
    np.testing.assert_allclose(x[..., 4:-4] * 255, 100, atol=1)


@pytest.mark.parametrize(
    "preprocess",
    [
        Preprocess((48, 48), channels=1),
        Preprocess((48, 48), channels=1, mean=(0.5,), std=(0.25,)),
        Preprocess((48, 48)),
        Preprocess((48, 48), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    ],
    ids=str,
)
def test_without_torch_the_same_numbers(rng, preprocess):
    for side, close in ((48, 1e-6), (31, 1e-5), (60, 1e-5), (112, 1e-5)):
        crops = rng.integers(0, 256, (3, side, side, 3), dtype=np.uint8)
        found = preprocess.array(crops)
        assert (found.dtype, found.shape) == (np.float32, (3, preprocess.channels, 48, 48))
        np.testing.assert_allclose(found, preprocess(crops).numpy(), rtol=0, atol=close)
    assert preprocess.array(crops[:0]).shape == (0, preprocess.channels, 48, 48)


def test_no_crops_another_size_and_json():
    preprocess = Preprocess((48, 48), channels=1)
    assert preprocess(np.empty((0, 60, 60, 3), np.uint8)).shape == (0, 1, 48, 48)
    assert preprocess.at_size(36)(np.zeros((1, 48, 48, 3), np.uint8)).shape == (1, 1, 36, 36)
    for one in (preprocess, Preprocess((224, 224), mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 3.0))):
        assert Preprocess.from_dict(json.loads(json.dumps(one.to_dict()))) == one


@pytest.mark.parametrize("crops", [
    np.zeros((1, 9, 9, 3)), np.zeros((1, 3, 9, 9), np.uint8), np.zeros((9, 9, 3), np.uint8),
    np.zeros((1, 9, 9, 4), np.uint8),
], ids=lambda crops: f"{crops.shape} {crops.dtype}")  # fmt: skip
def test_what_are_no_crops_is_refused(crops):
    for convert in (Preprocess((9, 9)), Preprocess((9, 9)).array):
        with pytest.raises(UserError, match=r"crops are \(N, S, S, 3\) uint8 RGB, not \("):
            convert(crops)


def test_what_is_no_array_is_refused():
    for convert in (Preprocess((9, 9)), Preprocess((9, 9)).array):
        with pytest.raises(UserError, match=r"crops are an array \(N, S, S, 3\) uint8 RGB, not a list"):
            convert([np.zeros((9, 9, 3), np.uint8)])


@pytest.mark.filterwarnings("error")
def test_crops_may_be_read_only(rng):
    crops = rng.integers(0, 256, (1, 9, 9, 3), dtype=np.uint8)
    crops.flags.writeable = False
    assert Preprocess((9, 9))(crops).shape == (1, 3, 9, 9)


def test_it_does_not_write_into_its_input(rng):
    crops = rng.integers(0, 256, (1, 48, 48, 3), dtype=np.uint8)
    before = crops.copy()
    Preprocess((48, 48), channels=1)(crops)
    np.testing.assert_array_equal(crops, before)


@pytest.mark.parametrize("size_hw", [(20, 36), (48, 9)])
def test_a_network_s_height_and_width_may_differ(size_hw):
    """A dot in a crop stays at its share of the height and of the width."""
    crops = np.zeros((1, 72, 72, 3), np.uint8)
    crops[0, 20:29, 50:59] = 255
    preprocess = Preprocess(size_hw, channels=1, mean=(0.0,), std=(1.0,))
    for found in (preprocess.array(crops), preprocess(crops).numpy()):
        assert found.shape == (1, 1, *size_hw)
        y, x = (found[0, 0].sum(axis=axis) @ (np.arange(side) + 0.5) / side / found.sum()
                for axis, side in ((1, size_hw[0]), (0, size_hw[1])))  # fmt: skip
        assert (y, x) == pytest.approx((24.5 / 72, 54.5 / 72), abs=0.01)
