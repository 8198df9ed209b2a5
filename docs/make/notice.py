"""The notice to print for a stand: python -m docs.make.notice

In:  the words of `pipeline/drawing/stand_notice.py`, which --ask shows on the screen.
Out: docs/notice.pdf, one A4 page, with lines to fill in. Its keywords hold a digest of the words.
"""

from __future__ import annotations

import hashlib
import textwrap
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline.drawing.stand_notice import PARAGRAPHS, TITLE
from support import atomic_write, command, run_and_exit, setting
from support.cli import ROOT

A4 = (8.27, 11.69)  # inches
LEFT, RIGHT, COLUMNS = 0.1, 0.9, 54  # shares of the width, letters a line
FORM = ("What is kept, and until when:", "Who is responsible, and how to reach them:")
LAW = (
    "Where this is shown in the European Union, people must be told that such a system is at work "
    "(Regulation (EU) 2024/1689, Article 50(3))."
)


@dataclass(frozen=True)
class Settings:
    """Flags of `python -m docs.make.notice`."""

    out: str = setting(str(ROOT / "docs" / "notice.pdf"), "the file to write", metavar="FILE.pdf")


def digest() -> str:
    """12 hexadecimal digits that stand for the words."""
    return hashlib.sha256("\n".join((TITLE, *PARAGRAPHS, *FORM, LAW)).encode()).hexdigest()[:12]


def notice_figure() -> Figure:
    """The page."""
    figure = Figure(figsize=A4)
    figure.text(LEFT, 0.92, textwrap.fill(TITLE, 30), fontsize=27, weight="bold", va="top", linespacing=1.2)
    top = 0.79
    for paragraph in PARAGRAPHS:
        text = textwrap.fill(paragraph, COLUMNS)
        figure.text(LEFT, top, text, fontsize=15, va="top", linespacing=1.35)
        top -= 0.024 * (text.count("\n") + 1) + 0.022
    top -= 0.04
    for label in FORM:
        figure.text(LEFT, top, label, fontsize=13, va="top", weight="bold")
        for line in (1, 2):
            y = top - 0.018 - 0.035 * line
            figure.add_artist(Line2D([LEFT, RIGHT], [y, y], color="#888888", linewidth=0.8))
        top -= 0.125
    figure.text(LEFT, 0.05, textwrap.fill(LAW, 88), fontsize=9, va="bottom", color="#555555")
    return figure


def run(settings: Settings) -> None:
    """Write the page and print the file's name."""
    about = {"Title": TITLE, "Keywords": digest(), "CreationDate": None}
    with rc_context({"pdf.fonttype": 42}), atomic_write(Path(settings.out)) as temporary:
        notice_figure().savefig(temporary, format="pdf", metadata=about)
    print(settings.out)


main = command(Settings, run, prog="python -m docs.make.notice", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
