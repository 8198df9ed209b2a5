"""What all figures share: colours, a style, and saving.

In:  a function that draws a matplotlib Figure; a figure.
Out: the function under the common style (`@styled`); a picture file, complete or not there.

Colours are those of Okabe & Ito (2008), which colour-blind people can tell apart; shades run from white to one blue.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from support.files import atomic_write
from support.process import notify

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW = "#56B4E9", "#CC79A7", "#F0E442"
LIGHT_BLUE, GREY, PALE, INK = "#9CC7E3", "#8C8C8C", "#DDDDDD", "#222222"
SHADES = "Blues"
GLYPH = re.compile(r"Glyph (\d+) .* missing from")  # matplotlib's warning, one a character
styled = rc_context(  # a decorator: what the function draws is in this style
    {
        "text.parse_math": False,  # names of classes, files and folders may hold $, and are no formulas
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
)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Save `figure` to `path`, whose suffix names the format; the file is complete or not there.

    Characters that the font lacks are told in one sentence, in place of a warning each.
    """
    for text in figure.findobj(Text):  # also of a figure in no style
        text.set_parse_math(False)
    plain = rc_context({"text.parse_math": False})  # of ticks that are made only now, too
    with atomic_write(path) as temporary, plain, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(temporary)
    lacking = [GLYPH.match(str(each.message)) for each in caught]
    for each, found in zip(caught, lacking, strict=True):
        if not found:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if signs := dict.fromkeys(chr(int(found[1])) for found in lacking if found):
        notify(
            f"{Path(path).name}: the font of figures lacks {' '.join(signs)}, drawn as boxes; --classes FILE gives "
            "classes other names."
        )
