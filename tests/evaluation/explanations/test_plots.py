"""The figures of the proof draw the numbers that they are given."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers.tiny_explained_faces import tiny_explained_faces
from matplotlib.figure import Figure

from evaluation.explanations.cost import ALONE
from evaluation.explanations.face_regions import REGIONS, Expression
from evaluation.explanations.plots import (
    AIM,
    checks_figure,
    curves_figure,
    line_styles,
    mean_heat_figure,
    shuffled_figure,
)
from evaluation.explanations.results import examine, summary

METHODS = ["gradcam", "attention"]


def drawn(figure: Figure) -> Figure:
    """The figure, after it has been drawn once: layout and texts have been worked out."""
    figure.savefig(io.BytesIO(), format="png", dpi=30)
    return figure


@pytest.fixture(scope="module")
def results():
    return examine(tiny_explained_faces(8), METHODS, steps=3)


def report_of(results) -> dict:
    times = {ALONE: {"median": 2.0}, "gradcam": {"median": 2.4}, "attention": {"median": 2.2}}
    return summary(results) | {"cost": {"faces": 5, "ms_a_face": times, "ratio": {"gradcam": 1.2, "attention": 1.1}}}


def test_curves_are_means_over_faces(results):
    left, middle, right = drawn(curves_figure(results, title="t")).axes
    lines = {line.get_label(): line for line in left.lines}
    assert list(lines) == [*METHODS, "random", "centre"]
    np.testing.assert_allclose(lines["centre"].get_ydata(), results.curves["centre"]["deletion"].mean(axis=0))
    np.testing.assert_allclose(lines["centre"].get_xdata(), [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(middle.lines[0].get_ydata(), results.curves["gradcam"]["insertion"].mean(axis=0))
    names = [label.get_text() for label in right.get_yticklabels()]
    assert names[0] == f"gradcam  {results.gain('gradcam').mean():.2f}"


def test_a_cascade_begins_with_the_whole_network(results):
    left, right = drawn(shuffled_figure(results.cascade)).axes
    assert [label.get_text() for label in left.get_xticklabels()] == ["none", "fc", "features.0"]
    np.testing.assert_allclose(left.lines[0].get_ydata(), [1, *results.cascade.rank["gradcam"].mean(axis=1)])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [1, *results.cascade.ssim["gradcam"].mean(axis=1)])


def test_checks_show_hits_mirror_and_times(results):
    pointing, mirror, times = drawn(checks_figure(report_of(results))).axes
    assert [label.get_text() for label in pointing.get_yticklabels()] == ["gradcam  1.00", "attention  0.50"]
    assert mirror.get_title(loc="left") == "the face and its mirror image"
    assert [bar.get_width() for bar in times.patches] == [2.4, 2.2]
    assert [label.get_text() for label in times.get_yticklabels()] == ["gradcam  x 1.20", "attention  x 1.10"]
    assert [line.get_xdata()[0] for line in times.lines] == [2.0, AIM * 2.0]


def test_no_panel_for_a_game_that_was_not_played(results):
    report = report_of(results)
    for row in report["tests"].values():
        row.pop("pointing_hits", None)
    assert len(drawn(checks_figure(report)).axes) == 2


def test_as_many_styles_as_methods():
    styles = line_styles([str(i) for i in range(6)], ["random", "centre"])
    looks = {(str(style["color"]), str(style["linestyle"])) for style in styles.values()}
    assert len(looks) == 8


def test_mean_heat_has_a_column_an_expression():
    rng = np.random.default_rng(0)
    face, heat = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8), rng.random((16, 16), np.float32)
    shares = np.tile([0.1, 0.2, 0.2, 0.4, 0.1], (7, 1))
    numbers = (shares, shares / 2)
    expressions = [
        Expression("joy", 1234, 2000, face, heat, *numbers),
        Expression("fear", 7, 9, face, heat / 2, *numbers),
    ]
    figure = drawn(mean_heat_figure(expressions, title="t"))
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes[:2]] == ["joy\n1,234 of 2,000", "fear\n7 of 9"]
    bars = figure.axes[4]
    np.testing.assert_allclose([bar.get_width() for bar in bars.patches], shares[0])
    np.testing.assert_allclose(bars.lines[0].get_xdata(), shares[0] / 2)
    assert [label.get_text() for label in bars.get_yticklabels()] == list(REGIONS)
