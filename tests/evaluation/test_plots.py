"""The figures draw the numbers that they are given."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from helpers.figures import points, render, widths
from matplotlib.cbook import STEP_LOOKUP_MAP
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

from data.face_set import FaceSet
from evaluation.plots import (
    MOST_CLASSES,
    class_counts_figure,
    confusion_figure,
    curves_figure,
    film_figure,
    frame_edges,
    per_class_figure,
    reliability_figure,
)
from pipeline.drawing.labels import PALETTE
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


@pytest.mark.thorough
def test_a_thousand_classes_have_figures_of_a_size_that_can_be_drawn_and_few_labels():
    names = [f"n{number:03}" for number in range(1000)]
    row = {"precision": 1.0, "recall": 0.5, "f1": 0.5, "support": 1}
    splits = {"test": FaceSet([], np.eye(1000), np.arange(1000), tuple(names), tuple(names), has_votes=False)}
    for figure in (
        confusion_figure(np.eye(1000, dtype=int), names),
        per_class_figure(dict.fromkeys(names, row)),
        class_counts_figure(splits),
    ):
        assert max(figure.get_size_inches()) * figure.dpi < 7000
        axes = figure.axes[0]
        assert [label.get_text()[:4] for label in axes.get_yticklabels()] == names[::10]
        assert axes.get_yticks().tolist() == list(range(0, 1000, 10))


def test_reliability_before_and_after_calibration():
    labels = np.array([0, 0, 0, 1])
    before, after = np.tile([0.55, 0.45], (4, 1)), np.tile([0.75, 0.25], (4, 1))
    upper, lower = render(reliability_figure(labels, before, after)).axes
    diagonal, first, second = upper.lines
    assert points(diagonal).tolist() == [[0, 0], [1, 1]]
    np.testing.assert_allclose(points(first), [[0.55, 0.75]])
    np.testing.assert_allclose(points(second), [[0.75, 0.75]])
    texts = [text.get_text() for text in upper.get_legend().get_texts()]
    assert [texts[0].endswith("ECE 20.0 %"), texts[1].endswith("ECE 0.0 %")] == [True, True]
    histogram = lower.patches[0]
    assert isinstance(histogram, StepPatch)
    assert max(histogram.get_data()[0]) == 1


def curves_of(names: list[str]) -> Figure:
    rows = [(name, curve, x, x) for name in names for curve in ("roc", "pr") for x in (0, 1)]
    return render(curves_figure(pd.DataFrame(rows, columns=["class", "curve", "x", "y"]), title="t"))


def hue(colour) -> float:
    return rgb_to_hsv(to_rgb(colour))[0]


def test_a_curve_has_the_hue_that_the_overlay_gives_its_expression():
    lines = curves_of(["sadness", "anger", "surprise", "disgust", "contempt"]).axes[0].lines
    for line in lines:
        away = abs(hue(line.get_color()) - hue(np.divide(PALETTE[line.get_label()], 255)))
        assert min(away, 1 - away) < 0.08, line.get_label()


def test_of_many_classes_some_have_curves_and_the_title_says_so():
    figure = curves_of([str(i) for i in range(MOST_CLASSES + 4)])
    assert len(figure.axes[0].lines) == MOST_CLASSES
    assert figure.get_suptitle() == f"t: the first {MOST_CLASSES} of {MOST_CLASSES + 4} classes"


def test_every_curve_is_in_the_legend_whatever_its_class_is_called():
    names = ["_other", "anger", "$x^$"]
    (legend,) = curves_of(names).legends
    assert [text.get_text() for text in legend.get_texts()] == names


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
    for share in (0.95, 0.7, 0.5, 0.1):
        assert height_at(right.lines[0], share) == sum(agreement >= share for agreement in (1, 0.8, 0.6, 1)) / 4
        assert height_at(right.lines[1], share) == 1
    labelled = faces([0, 1], [[1, 0], [0, 1]], has_votes=False)
    assert "no votes" in render(class_counts_figure({"test": labelled})).axes[1].get_title(loc="left")


def height_at(line: Line2D, x: float) -> float:
    """Where a line of steps is drawn at x: that of the level piece over it."""
    corners = np.transpose(STEP_LOOKUP_MAP[line.get_drawstyle()](*points(line).T))
    (height,) = {a[1] for a, b in pairwise(corners) if min(a[0], b[0]) < x < max(a[0], b[0])}
    return float(height)


def test_the_legend_of_splits_lies_beside_the_bars():
    full = faces([0, 1], [[1, 0], [0, 1]], has_votes=False)
    figure = render(class_counts_figure({"train": full, "validation": full, "test": full}))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["train  2", "validation  2", "test  2"]
    assert not any(axes.get_tightbbox().overlaps(legend.get_window_extent()) for axes in figure.axes)


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
    assert [shares_at(first, time_s) for time_s in (0.0, 0.4, 0.9, 1.2)] == [[0.9, 1], [0.6, 1], [0, 0], [0, 0]]
    assert [shares_at(second, time_s) for time_s in (0.2, 0.4, 0.9, 1.2)] == [[0, 0], [0.5, 1], [0.25, 1], [0.25, 1]]
    assert first.get_xlim() == second.get_xlim() == (-0.25, 1.25)
    assert render(film_figure([frame_of(), frame_of()], [0.0, 1.0])).axes


def shares_at(axes, time_s: float) -> list[float]:
    """How high the area of each class reaches at a time: the upper end of its polygon there; 0 where it has none."""
    tops = []
    for area in axes.collections:
        corners = np.asarray(area.get_paths()[0].vertices)
        pairs = pairwise(corners)
        tops.append(max(a[1] for a, b in pairs if min(a[0], b[0]) < time_s < max(a[0], b[0])))
    return tops


def test_nobody_is_drawn_while_unseen():
    film = [frame_of((1, 0.9)), frame_of(), frame_of(), frame_of((1, 0.6)), frame_of()]
    (axes,) = render(film_figure(film, [0.0, 1.0, 2.0, 3.0, 4.0])).axes
    assert [shares_at(axes, time_s) for time_s in (0.1, 1.1, 2.1, 3.1, 4.1)] == [
        [0.9, 1],
        [0, 0],
        [0, 0],
        [0.6, 1],
        [0, 0],
    ]


def test_a_film_of_one_frame_has_a_width():
    with warnings.catch_warnings(action="error"):
        (axes,) = render(film_figure([frame_of((1, 0.9))], [3.0])).axes
    assert axes.get_xlim() == (2.5, 3.5)
    assert shares_at(axes, 3.1) == [0.9, 1]


def test_frames_reach_half_way_to_the_next():
    assert frame_edges([0.0, 1.0, 4.0]).tolist() == [-0.5, 0.5, 2.5, 5.5]
