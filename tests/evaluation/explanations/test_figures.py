"""The figures draw the numbers that they are given, the sheets the right pictures, each with its caption."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.figures import dots, points, render, widths
from helpers.tiny_explained_faces import tiny_explained_faces

from evaluation.explanations.cost import ALONE
from evaluation.explanations.figures import (
    AIM,
    checks_figure,
    curves_figure,
    line_styles,
    mirrored_sheet,
    pairs_sheet,
    randomisation_figure,
    randomisation_sheet,
)
from evaluation.explanations.results import run_tests, summary

METHODS = ["gradcam", "attention"]


@pytest.fixture(scope="module")
def results():
    return run_tests(tiny_explained_faces(12), METHODS, steps=3)


def report_of(results) -> dict:
    times = {ALONE: {"median": 2.0}, "gradcam": {"median": 2.4}, "attention": {"median": 2.2}}
    return summary(results) | {"cost": {"faces": 5, "ms_a_face": times, "ratio": {"gradcam": 1.2, "attention": 1.1}}}


def test_curves_are_means_over_faces(results):
    left, middle, right = render(curves_figure(results, title="t")).axes
    lines = {line.get_label(): line for line in left.lines}
    assert list(lines) == [*METHODS, "random", "centre"]
    x, y = points(lines["centre"]).T
    np.testing.assert_allclose(x, [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(y, results.curves["centre"]["deletion"].mean(axis=0))
    np.testing.assert_allclose(points(middle.lines[0])[:, 1], results.curves["gradcam"]["insertion"].mean(axis=0))
    np.testing.assert_allclose(dots(right), [results.gain(name).mean() for name in METHODS + ["random", "centre"]])


def test_randomisation_begins_with_the_trained_network(results):
    randomisation = results.randomisation
    left, right = render(randomisation_figure(randomisation)).axes
    for axes, values in ((left, randomisation.rank_correlation), (right, randomisation.ssim)):
        np.testing.assert_allclose(points(axes.lines[0])[:, 1], [1, *values["gradcam"].mean(axis=1)])


def test_checks_show_hits_mirror_and_times(results):
    pointing, mirror, times = render(checks_figure(report_of(results))).axes
    assert dots(pointing) == [1.0, 0.5]
    assert len(dots(mirror)) == 2
    assert widths(times) == [2.4, 2.2]
    assert [points(line)[0, 0] for line in times.lines] == [2.0, AIM * 2.0]


def test_a_negative_correlation_lies_inside_its_panel(results):
    report = report_of(results)
    report["tests"]["gradcam"]["mirror_correlation"] = {"mean": -0.12, "interval": [-0.3, 0.05], "n": 12}
    _, mirror, _ = render(checks_figure(report)).axes
    assert mirror.get_xlim()[0] < -0.3
    assert checks_figure(report_of(results)).axes[1].get_xlim() == (0, 1.02)


def test_no_panel_for_a_game_that_was_not_played(results):
    report = report_of(results)
    for row in report["tests"].values():
        row.pop("pointing_hits", None)
    assert len(render(checks_figure(report)).axes) == 2


def test_as_many_styles_as_methods():
    styles = line_styles([str(i) for i in range(6)], ["random", "centre"]).values()
    assert len({(str(style["color"]), str(style["linestyle"])) for style in styles}) == 8


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
