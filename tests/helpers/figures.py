"""What a matplotlib figure draws, as numbers.

In:  a Figure, its axes and lines.
Out: the figure after it has been drawn; lengths of bars; points of lines.
"""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle


def render(figure: Figure) -> Figure:
    """The figure, after it has been drawn once, which works its layout out."""
    figure.savefig(io.BytesIO(), format="png", dpi=30)
    return figure


def bars(axes: Axes) -> list[Rectangle]:
    """The bars, in the order they were drawn."""
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def widths(axes: Axes) -> list[float]:
    """The lengths of horizontal bars."""
    return [bar.get_width() for bar in bars(axes)]


def points(line: Line2D) -> np.ndarray:
    """(N, 2) float64: x and y."""
    return np.column_stack([np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)])


def dots(axes: Axes) -> list[float]:
    """The x of each dot, drawn as a line of one point."""
    return [float(points(line)[0, 0]) for line in axes.lines if line.get_marker() == "o"]
