"""The figures draw the numbers that they are given."""

from __future__ import annotations

import numpy as np
from helpers.figures import points, render, widths
from matplotlib.patches import StepPatch

from data.face_set import FaceSet
from evaluation.plots import (
    MOST_CLASSES,
    class_counts_figure,
    confusion_figure,
    film_figure,
    per_class_figure,
    reliability_figure,
)
from pipeline.run import FaceResult, FrameResult
from retinaface.face import Face


def test_confusion_shows_the_per_cent_of_each_row():
    figure = render(confusion_figure(np.array([[995, 1, 4], [1, 3, 0], [0, 0, 0]]), ["a", "b", "c"], title="t"))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["100", "<1", "<1", "25", "75"]


def test_confusion_of_many_classes_has_no_numbers():
    classes = MOST_CLASSES + 1
    figure = render(confusion_figure(np.eye(classes, dtype=int), [str(i) for i in range(classes)]))
    assert not figure.axes[0].texts


def test_reliability_before_and_after_calibration():
    labels = np.array([0, 0, 0, 1])
    before, after = np.tile([0.55, 0.45], (4, 1)), np.tile([0.75, 0.25], (4, 1))
    upper, lower = render(reliability_figure(labels, before, after)).axes
    diagonal, first, second = upper.lines
    assert points(diagonal).tolist() == [[0, 0], [1, 1]]
    np.testing.assert_allclose(points(first), [[0.55, 0.75]])
    np.testing.assert_allclose(points(second), [[0.75, 0.75]])
    texts = [text.get_text() for text in upper.get_legend().get_texts()]
    assert [texts[0].endswith("ECE 20.0%"), texts[1].endswith("ECE 0.0%")] == [True, True]
    histogram = lower.patches[0]
    assert isinstance(histogram, StepPatch)
    assert max(histogram.get_data()[0]) == 1


def test_classes_that_do_not_occur_have_no_bar():
    row = {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 1200}
    (axes,) = render(per_class_figure({"fear": row, "joy": dict.fromkeys(row, 0), "anger": row | {"f1": 0.5}})).axes
    assert widths(axes) == [2 / 3, 0.5]


def faces(labels: list[int], votes: list[list[float]], *, has_votes: bool) -> FaceSet:
    images = [np.zeros((4, 4, 3), np.uint8)] * len(labels)
    names = tuple(map(str, range(len(labels))))
    return FaceSet(images, np.array(votes), np.array(labels), names, ("joy", "fear"), has_votes)


def test_counts_are_shares_of_each_split():
    voted = faces([0, 0, 0, 1], [[1, 0], [0.8, 0.2], [0.6, 0.4], [0, 1]], has_votes=True)
    left, right = render(class_counts_figure({"train": voted, "test": voted.rows(np.array([0, 3]))})).axes
    assert widths(left) == [0.75, 0.25, 0.5, 0.5]
    x, y = points(right.lines[0]).T
    np.testing.assert_allclose(x, [1, 1, 1, 0.8, 0.6])
    np.testing.assert_allclose(y, [0, 0.25, 0.5, 0.75, 1])
    labelled = faces([0, 1], [[1, 0], [0, 1]], has_votes=False)
    assert "no votes" in render(class_counts_figure({"test": labelled})).axes[1].get_title(loc="left")


def frame_of(*people: tuple[int, float]) -> FrameResult:
    """A frame with a face for each (track, probability of joy)."""
    face = Face(box_xyxy=np.zeros(4), landmarks_xy=np.zeros((5, 2)), score=1.0)
    results = [
        FaceResult(face, np.array([joy, 1 - joy]), "joy", joy, None, None, np.zeros((2, 3)), track)
        for track, joy in people
    ]
    return FrameResult(np.zeros((4, 4, 3), np.uint8), tuple(results), ("joy", "fear"))


def test_a_film_has_a_row_for_each_person():
    film = [frame_of((1, 0.9)), frame_of((1, 0.6), (7, 0.5)), frame_of((7, 0.25))]
    first, second = render(film_figure(film, [0.0, 0.5, 1.0])).axes
    for axes, corners in ((first, {(0.0, 0.9), (0.5, 0.6)}), (second, {(0.5, 0.5), (1.0, 0.25)})):
        vertices = np.asarray(axes.collections[0].get_paths()[0].vertices)
        assert set(map(tuple, vertices.tolist())) >= corners
    assert render(film_figure([frame_of(), frame_of()], [0.0, 1.0])).axes
