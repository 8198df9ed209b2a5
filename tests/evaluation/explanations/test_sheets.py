"""The sheets: as many pictures as were asked for, each with its words."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.tiny_explained_faces import tiny_explained_faces

from evaluation.explanations.results import examine
from evaluation.explanations.sheets import heated, mirrored_sheet, pairs_sheet, shuffled_sheet
from gradcam import blend

METHODS = ["gradcam", "attention"]


@pytest.fixture(scope="module")
def results():
    return examine(tiny_explained_faces(12), METHODS, steps=2)


def captions(figure) -> list[str]:
    (axes,) = figure.axes
    _, *under = [text.get_text() for text in axes.texts]  # the title is first
    assert len(axes.images) == len(under)
    return under


def test_heat_of_any_size_is_laid_over_a_picture(rng):
    image = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    even = np.full((4, 4), 0.7, np.float32)
    np.testing.assert_array_equal(heated(image, even), blend(image, np.full((8, 8), 0.7, np.float32)))


def test_a_row_an_explainer_from_trained_to_shuffled(results):
    assert captions(shuffled_sheet(results)) == [
        f"{method}, {stage}" for method in METHODS for stage in ("trained", "fc", "features.0")
    ]


def test_pairs_are_asked_for_both(results):
    words = captions(pairs_sheet(results, count=2))
    assert len(words) == 2 * (1 + 2 * len(METHODS))
    left, right = words[0].split(" | ")
    assert {left, right} == {"red", "green"}
    assert (words[2], words[4]) == (f"gradcam: {left}", f"gradcam: {right}")


def test_faces_maps_and_mirrored_maps(results):
    words = captions(mirrored_sheet(results))
    assert words[8:] == ["gradcam"] * 8 + ["gradcam, mirrored"] * 8
    assert words[0].startswith("red ")
