"""Labels and bars: they say what the result says, in colours that every eye tells apart."""

import itertools

import numpy as np
import pytest
from helpers.placed_labels import SIZE, face, placed
from skimage.color import deltaE_ciede2000, rgb2lab

from pipeline.drawing.labels import OTHER_CLASS, PALETTE, TRACK, colour_of, paint_bars, paint_label
from pipeline.drawing.primitives import Rect, paint_colour_scale

# What the three kinds of colour-blind eyes make of linear RGB (Machado et al. 2009, severity 1.0).
EYES = {
    "trichromat": np.eye(3),
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanope": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def test_bars_are_as_long_as_the_probabilities():
    *_, (bars,) = placed([face((200, 150, 300, 280), label="surprise", confidence=0.65)])
    canvas = np.zeros((480, 640, 3), np.uint8)
    paint_bars(canvas, bars)
    half = bars.rect._replace(left=bars.rect.left + bars.rect.width // 2).view(canvas)  # without the names
    top, other, track = (
        (half == colour).all(axis=2).sum(axis=1).max() for colour in (PALETTE["surprise"], OTHER_CLASS, TRACK)
    )
    full = track + other
    assert top == pytest.approx(0.65 * full, abs=1)
    assert other == pytest.approx(0.05 * full, abs=1)


@pytest.mark.parametrize("colour", [*PALETTE.values(), OTHER_CLASS])
def test_bars_stand_out_from_their_tracks(colour):
    def luminance(rgb):  # relative, of WCAG 2.2
        part = np.array(rgb) / 255
        return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    assert (luminance(colour) + 0.05) / (luminance(TRACK) + 0.05) >= 3


def test_the_explained_class_is_marked_in_its_row():
    faces = [face((200, 150, 300, 280), explained=name) for name in (None, "neutral", "contempt")]
    pictures = []
    for one in faces:
        *_, (bars,) = placed([one])
        pictures.append(np.zeros((480, 640, 3), np.uint8))
        paint_bars(pictures[-1], bars)
    scale = np.zeros((20, 4, 3), np.uint8)
    paint_colour_scale(scale, Rect(0, 0, 4, 20))
    for picture, third in ((pictures[1], slice(0, 1)), (pictures[2], slice(2, 3))):
        rows, columns = np.nonzero((picture != pictures[0]).any(axis=2))
        assert columns.max() < bars.rect.left + 0.5 * SIZE
        part = int(3 * (rows.mean() - bars.rect.top) / bars.rect.height)
        assert part == third.start
        assert (picture == scale[0, 0]).all(axis=2).any()  # the colour of the highest heat


NAMES = ("Überraschung", "悲しみ", "a name that goes on and on and on", "\udc80\n", "fear")


@pytest.mark.parametrize("name", NAMES)  # any script and length
def test_painting_stays_on_the_panels(name):
    one = face((200, 150, 300, 280), label=name, explained="fear", names=NAMES)
    _, (label,), (bars,) = placed([one], names=NAMES)
    canvas = np.full((480, 640, 3), 255, np.uint8)
    assert label
    paint_label(canvas, label)
    paint_bars(canvas, bars)
    middle = canvas[(label.rect.top + label.rect.bottom) // 2, label.rect.left + 4]
    assert tuple(middle) == colour_of(name, NAMES.index(name))
    for rect in (label.rect, bars.rect):
        assert (rect.view(canvas) < 255).any()
        rect.view(canvas)[:] = 255
    assert (canvas == 255).all()


def test_unknown_names_take_colours_by_their_index():
    assert [colour_of(f"class {i}", i) for i in range(8)] == list(PALETTE.values())
    assert colour_of("class 9", 9) == colour_of("class 1", 1)


@pytest.mark.parametrize("eye", EYES)
def test_every_two_colours_differ_for_colour_blind_eyes(eye):
    encoded = np.array(list(PALETTE.values())) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(EYES[eye]).T, 0, 1)
    lab = rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)[None])[0]
    assert min(deltaE_ciede2000(one, other) for one, other in itertools.combinations(lab, 2)) > 11
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    panel = ((64 / 255 + 0.055) / 1.055) ** 2.4  # on white
    assert ((luminance + 0.05) / (panel + 0.05)).min() >= 3  # WCAG 2.2, 1.4.11: graphics
