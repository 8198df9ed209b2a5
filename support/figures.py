"""The look that all figures share: colours, and the style in which `styled` functions draw.

Colours are those of Okabe & Ito (2008), which the colour-blind tell apart; shades run from white to one blue.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from support.files import atomic_write

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
LIGHT_BLUE, GREY, PALE, INK = "#9CC7E3", "#8C8C8C", "#DDDDDD", "#222222"
SHADES = "Blues"
STYLE = {
    "figure.dpi": 120,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.edgecolor": "none",
    "lines.linewidth": 1.6,
}
styled = rc_context(STYLE)  # as a decorator: what a function draws is drawn in this style


def save_figure(figure: Figure, path: str | Path) -> None:
    """`figure` as the kind of picture that the suffix of `path` names, whole or not at all."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary)
