"""Light and sharpness."""

import numpy as np

from support.photometric import low_resolution, tone_curve


def test_tone_curve_keeps_black_white_and_order():
    assert np.array_equal(tone_curve(1.0), np.arange(256))
    curve = tone_curve(0.5)
    assert curve[0] == 0
    assert curve[255] == 255
    assert curve[64] == round(255 * (64 / 255) ** 0.5)
    assert (np.diff(curve.astype(int)) >= 0).all()


def test_low_resolution_blurs_and_keeps_the_size_and_the_mean(rng):
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    blurred = low_resolution(image, 0.25)
    assert blurred.shape == image.shape
    assert blurred.std() < 0.5 * image.std()
    assert abs(blurred.mean() - image.mean()) < 3
