"""The notice of a stand: it says what is kept, and fits every window."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.drawing import stand_notice
from pipeline.drawing.primitives import DARK
from pipeline.drawing.text import text_width
from pipeline.options import SessionOptions


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, stand_notice.NOTHING_KEPT),
        ({"report_faces": True}, "Kept on this machine: until the program ends, pictures of faces."),
        ({"save": "a.mp4"}, "Kept on this machine: a recording."),
        ({"save": "a.mp4", "blur": True}, "Kept on this machine: a recording with blurred faces."),
        ({"log": "a.csv"}, "Kept on this machine: predictions without pictures."),
        ({"crops": "c", "report": "r"}, "Kept on this machine: pictures of faces, a summary."),
        ({"report": "r", "report_faces": True}, "Kept on this machine: a summary with pictures of faces."),
    ],
)
def test_it_says_what_is_kept(options, sentence):
    assert stand_notice.what_is_kept(SessionOptions(**options)) == sentence


@pytest.mark.parametrize("size_hw", [(720, 1280), (480, 640), (1280, 720), (720, 360), (720, 1800)])
def test_all_of_it_is_written_inside_the_picture(size_hw, monkeypatch):
    written, sizes = [], []
    put_text = stand_notice.put_text

    def noted(canvas, text, *, left, rows, size, **style):
        width = text_width(text, size, style.get("weight", 400))
        assert left >= 0
        assert left + width <= size_hw[1]
        assert 0 <= rows[0] < rows[1] <= size_hw[0]
        written.append(text)
        sizes.append(size)
        put_text(canvas, text, left=left, rows=rows, size=size, **style)

    monkeypatch.setattr(stand_notice, "put_text", noted)
    picture = stand_notice.notice_picture(SessionOptions(), size_hw)
    wanted = (stand_notice.TITLE, *stand_notice.PARAGRAPHS, stand_notice.NOTHING_KEPT, stand_notice.ASK)
    assert " ".join(written) == " ".join(wanted)
    assert sizes[0] == max(sizes) > 1.4 * sizes[-1]  # a title is larger than what it is above, in narrow windows too
    assert picture.shape == (*size_hw, 3)
    edges = np.concatenate([picture[[0, -1]].reshape(-1, 3), picture[:, [0, -1]].reshape(-1, 3)])
    assert (edges == DARK).all()
