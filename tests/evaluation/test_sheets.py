"""Sheets of pictures: what is where, with which caption."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest

from data.face_set import FaceSet
from evaluation.sheets import (
    MOST_CLASSES,
    blend_resized,
    contact_sheet,
    faces_figure,
    heatmap_figure,
    mistakes_figure,
)
from gradcam import blend


def grey(level: int, *, size_hw: tuple[int, int] = (6, 6)) -> np.ndarray:
    return np.full((*size_hw, 3), level, np.uint8)


def levels(figure) -> list[int]:
    """The grey level of each picture's first pixel, in the order of the sheet."""
    return [int(image.get_array()[0, 0, 0]) for image in figure.axes[0].images]


def captions(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts[1:]]  # the first is the title


@pytest.fixture
def faces() -> FaceSet:
    labels = np.array([0, 1, 0, 1, 0])
    votes = np.array([[0.6, 0.4], [0.1, 0.9], [1, 0], [0, 1], [0.75, 0.25]], np.float32)
    return FaceSet([grey(10 * i) for i in range(5)], votes, labels, tuple("abcde"), ("joy", "fear"))


def test_pictures_lie_in_rows_with_their_shape_and_caption():
    pictures = [grey(1), None, grey(2, size_hw=(3, 6)), grey(3, size_hw=(6, 3))]
    figure = contact_sheet(pictures, ["one", "", "two"], columns=2, side=1.0, title="t")
    figure.savefig(io.BytesIO(), dpi=30)
    assert levels(figure) == [1, 2, 3]
    assert captions(figure) == ["one", "two", ""]
    (left, right, base, top), low, tall = (image.get_extent() for image in figure.axes[0].images)
    assert (right - left, base - top) == pytest.approx((1, 1))
    assert (low[1] - low[0], low[2] - low[3]) == pytest.approx((1, 0.5))
    assert (tall[1] - tall[0], tall[2] - tall[3]) == pytest.approx((0.5, 1))
    assert low[0] == left  # the third place begins the second row
    assert low[3] > base
    assert tall[0] > right


def test_long_captions_stand_beside_each_other():
    names, votes = ("fearfully surprised", "disgustedly surprised"), np.float32([[1, 0]] * 3)
    faces = FaceSet([grey(i) for i in range(3)], votes, np.zeros(3, int), tuple("abc"), names)
    figure = mistakes_figure(faces, np.tile(np.float32([0.1, 0.9]), (3, 1)))
    figure.savefig(io.BytesIO())  # at its own resolution, in which extents are
    spans = [text.get_window_extent() for text in figure.axes[0].texts[1:]]
    assert all(left.x1 < right.x0 for left, right in pairwise(spans))
    assert spans[0].x0 > 0
    assert spans[-1].x1 < figure.bbox.x1
    middles = [sum(image.get_extent()[:2]) / 2 for image in figure.axes[0].images]
    assert middles == [text.get_position()[0] for text in figure.axes[0].texts[1:]]


def test_a_sheet_of_nothing_still_has_its_title():
    figure = contact_sheet([], title="no mistakes")
    figure.savefig(io.BytesIO(), dpi=30)
    assert figure.axes[0].texts[0].get_text() == "no mistakes"


def test_faces_stand_in_a_row_a_class(faces):
    figure = faces_figure(faces, per_class=8)
    assert levels(figure) == [0, 20, 40, 10, 30]
    assert captions(figure) == ["joy 60 %", "joy 100 %", "joy 75 %", "fear 90 %", "fear 100 %"]
    assert levels(faces_figure(faces, per_class=1)) == [0, 10]


def test_of_very_many_classes_the_first_have_a_row():
    classes = 3 * MOST_CLASSES
    names = tuple(map(str, range(classes)))
    images = [grey(level) for level in range(classes)]
    many = FaceSet(images, np.eye(classes), np.arange(classes), names, names, has_votes=False)
    assert levels(faces_figure(many)) == list(range(MOST_CLASSES))


def test_a_heatmap_changes_the_face_only_where_it_is_high(rng):
    images = [grey(100), grey(200)]
    heatmaps = np.zeros((2, 3, 3), np.float32)
    heatmaps[0, 2, 2] = 1
    figure = heatmap_figure(images, ["joy", "fear"], {"gradcam": heatmaps})
    assert captions(figure) == ["joy", "fear", "gradcam", "gradcam"]
    _, _, first, second = (np.asarray(image.get_array()) for image in figure.axes[0].images)
    assert (first[0, 0] == 100).all()
    assert first[5, 5, 0] > 110  # the upper end of the colour map is red
    assert (second == 200).all()


def test_a_heatmap_of_any_size_is_laid_over_a_picture(rng):
    image = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    uniform = np.full((4, 4), 0.7, np.float32)
    np.testing.assert_array_equal(blend_resized(image, uniform), blend(image, np.full((8, 8), 0.7, np.float32)))


def test_the_most_confident_mistakes_come_first(faces):
    probabilities = np.array([[0.3, 0.7], [0.2, 0.8], [0.1, 0.9], [0.55, 0.45], [0.9, 0.1]], np.float32)
    figure = mistakes_figure(faces, probabilities, count=2)
    assert levels(figure) == [20, 0]
    assert captions(figure) == ["network: fear 90 %\nlabel: joy 100 %", "network: fear 70 %\nlabel: joy 60 %"]
