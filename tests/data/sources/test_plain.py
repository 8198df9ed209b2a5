"""Runs of one constant colour: drawn frames, and the noise of a covered camera."""

import numpy as np
import pytest

from data.sources.plain import LONG_RUN, PlainRun, colour_name
from data.sources.sample import sample_frame


def _said(images):
    run = PlainRun()
    return [(index, words) for index, image in enumerate(images) if (words := run.look(image)) is not None]


@pytest.mark.parametrize(
    ("colour", "words"),
    [((0, 0, 0), "black"), ((255, 255, 255), "white"), ((0, 135, 0), "one colour, RGB 0 135 0")],
)
def test_a_long_run_is_said_once_with_its_colour(colour, words):
    assert _said([np.full((60, 80, 3), colour, np.uint8)] * 350) == [(LONG_RUN - 1, words)]


def test_the_noise_of_a_covered_camera_is_plain():
    noise = np.random.default_rng(0).normal(8, 2, (LONG_RUN, 60, 80, 3)).clip(0, 255).astype(np.uint8)
    assert _said(noise) == [(LONG_RUN - 1, "black")]


def test_pictures_and_changing_colours_are_not_plain():
    assert _said([sample_frame(index, (60, 80)) for index in range(LONG_RUN)]) == []
    assert _said([np.full((4, 4, 3), 40 * (index % 2), np.uint8) for index in range(200)]) == []


def test_an_interruption_starts_the_count_anew():
    black, picture = np.zeros((60, 80, 3), np.uint8), sample_frame(0, (60, 80))
    assert _said([black] * (LONG_RUN - 1) + [picture] + [black] * (LONG_RUN - 1)) == []
    assert _said([picture] + [black] * LONG_RUN + [picture] + [black] * LONG_RUN) == [
        (LONG_RUN, "black"),
        (2 * LONG_RUN + 1, "black"),
    ]


def test_the_smallest_picture():
    assert _said([np.zeros((1, 1, 3), np.uint8)] * LONG_RUN) == [(LONG_RUN - 1, "black")]


def test_dark_red_is_not_black():
    assert colour_name(np.array([120.0, 3.0, 3.0])) == "one colour, RGB 120 3 3"
