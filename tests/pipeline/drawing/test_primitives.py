"""Rectangles count pixels right, and white text on a panel is readable on any background."""

import numpy as np
import pytest

from gradcam import blend
from pipeline.drawing.primitives import (
    RED,
    Rect,
    clamp,
    overlay_patch,
    paint_colour_scale,
    paint_panel,
    paint_pause_bars,
    paint_record_dot,
)
from pipeline.drawing.text import DIM, WHITE, put_text


def mask(rect):
    covered = np.zeros((20, 20), bool)
    covered[rect.top : rect.bottom, rect.left : rect.right] = True
    return covered


def luminance(colour):
    """WCAG 2.2, relative luminance of an sRGB colour 0 to 255."""
    c = np.asarray(colour, float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_rectangles_agree_with_masks():
    rng = np.random.default_rng(0)
    for _ in range(300):
        x, y = np.sort(rng.integers(0, 20, (2, 2, 2)), axis=2)
        one, other = (Rect(x[i, 0], y[i, 0], x[i, 1] + 1, y[i, 1] + 1) for i in (0, 1))
        shared = (mask(one) & mask(other)).sum()
        assert one.intersection(other).area == shared
        assert one.intersects(other) == (shared > 0)
        assert one.inside(other) == (shared == mask(one).sum())
        both = one.intersection(other)
        assert both.area == shared
        assert not shared or (mask(both) == mask(one) & mask(other)).all()
        assert (one.area, one.padded(-1).width) == (mask(one).sum(), one.width - 2)


def test_at_rounds_and_clamp_keeps_to_the_range():
    assert Rect.at(2.6, 3.4, size_wh=(4, 5)) == Rect(3, 3, 7, 8)
    assert [clamp(v, 1, 3) for v in (0, 2, 9)] == [1, 2, 3]
    assert clamp(5, 4, 2) == 4  # an empty range


@pytest.mark.parametrize("background", [0, 96, 255])
@pytest.mark.parametrize("colour", [WHITE, DIM])
def test_text_on_a_panel_is_readable_on_any_background(background, colour):
    canvas = np.full((40, 60, 3), background, np.uint8)
    paint_panel(canvas, Rect(10, 10, 50, 30), radius=4)
    assert contrast(colour, canvas[20, 30]) >= 4.5


def test_a_panel_darkens_its_rectangle_only_and_has_round_corners():
    canvas = np.full((40, 60, 3), 200, np.uint8)
    rect = Rect(10, 8, 50, 30)
    paint_panel(canvas, rect, radius=6)
    assert (rect.padded(-6).view(canvas) == 50).all()  # a quarter of the light
    assert (canvas[8, 10] == 200).all()
    assert (canvas[8, 30] == 50).all()
    rect.view(canvas)[:] = 200
    assert (canvas == 200).all()


def test_a_patch_looks_on_any_background_as_if_painted_there():
    def paint(canvas):
        paint_panel(canvas, Rect(2, 3, 58, 37), radius=6)
        put_text(canvas, "Fear", left=6, rows=(3, 37), size=18, colour=(250, 156, 20))
        canvas[30:34, 5:50] = (1, 128, 254)

    background = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    painted, patched = background.copy(), background.copy()
    rect = Rect(10, 12, 70, 52)
    paint(rect.view(painted))
    overlay_patch((rect.width, rect.height), paint).paint_on(rect.view(patched))
    assert np.abs(painted.astype(int) - patched).max() <= 2  # two roundings
    assert (patched != background).any()
    rect.view(patched)[:] = rect.view(background)
    assert (patched == background).all()


@pytest.mark.parametrize(("rect", "end"), [(Rect(3, 4, 33, 10), (6, 32)), (Rect(3, 4, 7, 24), (4, 5))])
def test_the_heat_scale_ends_in_the_colour_of_the_highest_heat(rect, end):
    canvas = np.zeros((40, 60, 3), np.uint8)
    paint_colour_scale(canvas, rect)
    highest = blend(np.zeros((1, 1, 3), np.uint8), np.ones((1, 1), np.float32), alpha=1.0)[0, 0]
    assert (canvas[end] == highest).all()
    rect.view(canvas)[:] = 0
    assert not canvas.any()


@pytest.mark.parametrize(("paint", "middle"), [(paint_record_dot, RED), (paint_pause_bars, (0, 0, 0))])
def test_icons_stay_in_their_rectangle(paint, middle):
    canvas = np.zeros((30, 30, 3), np.uint8)
    rect = Rect(8, 9, 20, 21)
    paint(canvas, rect)
    assert rect.view(canvas).any()
    assert tuple(canvas[15, 14]) == middle
    rect.padded(2).view(canvas)[:] = 0  # OpenCV's smoothed edge is wide
    assert not canvas.any()
