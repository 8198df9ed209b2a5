"""HDR and wide colours as sRGB: against the inverse formulas of the helpers, and by the table against the formulas."""

import itertools
import tempfile

import av
import numpy as np
import pytest
from helpers.films import BT2020, HLG, PQ, hdr_signal

from data.sources.film_colours import PIXELS, ScreenColours, is_wide, to_srgb

SRGB_CURVE, BT709_PRIMARIES, P3 = 13, 1, 12
COLOURS = np.array(list(itertools.product((20, 128, 240), repeat=3)), np.uint8)[None]  # (1, 27, 3)


@pytest.mark.parametrize("curve", [PQ, HLG])
def test_formulas_undo_what_makes_an_hdr_signal(curve):
    shown = to_srgb(hdr_signal(COLOURS, curve) / 65_535, curve=curve, primaries=BT2020)
    assert np.abs(255 * shown - COLOURS).max() < 0.6


@pytest.mark.parametrize("curve", [PQ, HLG])
def test_what_is_brighter_than_white_keeps_its_hue(curve):
    bright = hdr_signal(np.array([[[255, 128, 64]]], np.uint8), curve, white_nits=800.0) / 65_535
    shown = to_srgb(bright, curve=curve, primaries=BT2020)[0, 0]
    assert np.abs(255 * shown - [255, 128, 64]).max() < 1


def test_p3_is_told_from_srgb():
    """CSS Color 4 gives sRGB's red as (0.9175, 0.2003, 0.1386) in Display P3, and white as white."""
    shown = to_srgb(np.array([[0.9175, 0.2003, 0.1386], [1.0, 1.0, 1.0]]), curve=SRGB_CURVE, primaries=P3)
    assert np.abs(shown - [[1, 0, 0], [1, 1, 1]]).max() < 0.02
    assert is_wide(SRGB_CURVE, P3)
    assert not is_wide(SRGB_CURVE, BT709_PRIMARIES)


@pytest.mark.parametrize("curve", [PQ, HLG])
def test_the_table_gives_what_the_formulas_give_whatever_the_size(curve, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    colours = ScreenColours(curve=curve, primaries=BT2020)
    for size_hw in ((2, 27), (30, 270), (2, 27)):
        image = COLOURS.repeat(size_hw[0], axis=0).repeat(size_hw[1] // 27, axis=1)
        signal = hdr_signal(image, curve)
        picture = av.VideoFrame.from_ndarray(signal, format="rgb48le").reformat(format=PIXELS)
        shown = colours.convert(picture).reformat(format="rgb24").to_ndarray().astype(int)
        errors = np.abs(shown - image)
        greys = (image == image[..., :1]).all(axis=-1)
        assert errors[greys].max() <= 3
        assert errors.max() <= 22  # saturated colours lie where the gamut is clipped, between two points
        assert errors.mean() < 2
    assert list(tmp_path.iterdir()) == []
