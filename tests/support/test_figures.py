"""The common style of figures, and saving them."""

from __future__ import annotations

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
