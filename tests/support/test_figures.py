"""The common style of figures, and saving them."""

from __future__ import annotations

import warnings

import cv2
import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from support.figures import GREY, save_figure, styled


def test_the_style_holds_inside_the_function_only():
    before = dict(mpl.rcParams)

    @styled
    def draw() -> Figure:
        assert mpl.rcParams["axes.edgecolor"] == GREY != before["axes.edgecolor"]
        return Figure()

    for _ in range(2):  # the decorator can be used more than once
        draw()
        assert dict(mpl.rcParams) == before


def test_a_figure_is_saved_complete_or_not_at_all(tmp_path):
    figure = Figure(figsize=(2, 1), dpi=100)
    figure.add_subplot()
    save_figure(figure, tmp_path / "deep" / "figure.png")
    assert cv2.imread(str(tmp_path / "deep" / "figure.png")).shape == (100, 200, 3)
    with pytest.raises(ValueError, match="unknown"):
        save_figure(figure, tmp_path / "figure.unknown")
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


def test_texts_between_dollars_are_no_formulas(tmp_path):
    @styled
    def draw(name: str) -> Figure:
        figure = Figure(figsize=(2, 1), dpi=50)
        figure.add_subplot(title=name).set_yticks([0, 1], [name, "plain"])
        return figure

    save_figure(draw("$x^$"), tmp_path / "broken_formula.png")  # which matplotlib refuses to draw
    widths_px = []
    for name in ("a$bb$", "abb"):
        figure = draw(name)
        save_figure(figure, tmp_path / "figure.png")
        widths_px.append(figure.axes[0].get_yticklabels()[0].get_window_extent().width)
    assert widths_px[0] > widths_px[1] + 3  # both dollars are drawn


def test_characters_that_the_font_lacks_are_told_in_one_sentence(tmp_path, capsys):
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.add_subplot(title="\u5e78\u798f \u5e78")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(figure, tmp_path / "figure.png")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("figure.png: the font of figures lacks \u5e78 \u798f,")


def test_other_warnings_of_drawing_still_come(tmp_path):
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.add_subplot().xaxis.set_major_formatter(lambda value, place: warnings.warn("odd", stacklevel=1) or "x")
    with pytest.warns(UserWarning, match="odd"):
        save_figure(figure, tmp_path / "figure.png")
