"""The sheets: the right pictures, each with its caption."""

from __future__ import annotations

import pytest
from helpers.tiny_explained_faces import tiny_explained_faces

from evaluation.explanations.results import run_tests
from evaluation.explanations.sheets import mirrored_sheet, pairs_sheet, randomisation_sheet

METHODS = ["gradcam", "attention"]


@pytest.fixture(scope="module")
def results():
    return run_tests(tiny_explained_faces(12), METHODS, steps=2)


def captions(figure) -> list[str]:
    (axes,) = figure.axes
    _, *under = [text.get_text() for text in axes.texts]  # the title is first
    assert len(axes.images) == len(under)
    return under


def test_a_row_an_explainer_from_trained_to_randomised(results):
    assert captions(randomisation_sheet(results)) == [
        f"{method}, {stage}" for method in METHODS for stage in ("trained", "fc", "features.0")
    ]


def test_each_face_of_a_pair_is_the_target_once(results):
    words = captions(pairs_sheet(results, count=2))
    assert len(words) == 2 * (1 + 2 * len(METHODS))
    left, right = words[0].split(" | ")
    assert {left, right} == {"red", "green"}
    assert (words[2], words[4]) == (f"gradcam: {left}", f"gradcam: {right}")


def test_faces_heatmaps_and_mirrored_heatmaps(results):
    words = captions(mirrored_sheet(results))
    assert words[8:] == ["gradcam"] * 8 + ["gradcam, mirrored"] * 8
    assert words[0].startswith("red ")
