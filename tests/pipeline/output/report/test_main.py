"""The command: a log in, a page out."""

from __future__ import annotations

import os

import pytest

from pipeline.output.report.__main__ import main
from support import UserError

LOG = "time_s,frame,face,track,p_neutral,p_fear,source\n0.0,0,0,1,0.25,0.75,<a>.mp4\n0.5,1,,,,,<a>.mp4\n"


def test_the_page_lies_beside_the_log_or_where_asked(tmp_path, capsys):
    log = tmp_path / "seen.csv"
    log.write_text(LOG)
    assert main([str(log)]) == 0
    assert main([str(log), "--out", str(tmp_path / "page")]) == 0
    first, second = (tmp_path / folder / "index.html" for folder in ("seen-report", "page"))
    assert capsys.readouterr().out.split() == [str(first), str(second)]
    page = first.read_text(encoding="utf-8")
    assert "&lt;a&gt;.mp4" in page
    assert "<a>" not in page
    assert "2 frames in 0:01; 1 without a face (0:00)" in page
    assert "made from a log" in page
    assert log.read_text() == LOG


def test_bad_input_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "seen.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="has no column time_s, frame, face, track; is it a log"):
        main([str(tmp_path / "seen.csv")])
    with pytest.raises(UserError, match="is no file"):
        main([str(tmp_path / "missing.csv")])
    with pytest.raises(UserError, match="is no file"):
        main(["."])
    assert os.listdir(tmp_path) == ["seen.csv"]
