"""The notice to print: all its words are on the page, and the file in docs/ is of these words."""

from __future__ import annotations

import itertools
import re

from helpers.paths import ROOT
from matplotlib.backends.backend_agg import FigureCanvasAgg

from docs.make import notice
from pipeline.drawing.stand_notice import PARAGRAPHS, TITLE


def test_every_word_is_on_the_page_and_nothing_overlaps_or_leaves_it():
    figure = notice.notice_figure()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in figure.texts]
    written = " ".join(text.get_text() for text in figure.texts).split()
    assert written == " ".join((TITLE, *PARAGRAPHS, *notice.FORM, notice.LAW)).split()
    for box in boxes:
        assert figure.bbox.x0 < box.x0 < box.x1 < figure.bbox.x1
        assert figure.bbox.y0 < box.y0 < box.y1 < figure.bbox.y1
    for upper, lower in itertools.pairwise(boxes):
        assert lower.y1 <= upper.y0


def test_the_command_writes_it_and_docs_holds_the_newest(tmp_path, capsys):
    path = tmp_path / "notice.pdf"
    assert notice.main(["--out", str(path)]) == 0
    for file in (path, ROOT / "docs" / "notice.pdf"):
        pdf = file.read_bytes()
        assert pdf.startswith(b"%PDF")
        assert re.findall(rb"/Count (\d+)", pdf) == [b"1"]
        assert f"/Keywords ({notice.digest()})".encode() in pdf, "run python -m docs.make.notice"
