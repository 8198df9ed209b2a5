"""The log of predictions, read back with csv and json, and the lines on stdout."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.sources.frame import Frame, Skipped
from pipeline.output.log import PredictionLog, lines_of
from pipeline.run import FaceResult, FrameResult
from retinaface.face import Face
from support import UserError

CLASSES = ("happiness", "not-a-face")
FRAME = Frame(np.zeros((48, 64, 3), np.uint8), 1.23456, 37, "b/a.mp4")
NOBODY = FrameResult(FRAME.image_rgb, (), CLASSES)


def result(track: int = 4) -> FrameResult:
    detected = Face(np.array([10.04, 20, 30.06, 40], np.float32), np.zeros((5, 2), np.float32), 0.98765432)
    probabilities = np.array([0.75, 0.25], np.float32)
    face = FaceResult(detected, probabilities, "happiness", 0.75, None, None, np.zeros((2, 3)), track)
    return FrameResult(FRAME.image_rgb, (face,), CLASSES)


def test_a_line_names_the_picture_or_the_time_or_both():
    still = replace(FRAME, name="a.png", still=True)
    assert list(lines_of(still, result(0), "a.png")) == ["a.png  face 0  looks like happiness 75 %  [10 20 30 40]"]
    assert list(lines_of(FRAME, result(4), None)) == ["   1.235 s  person 4  looks like happiness 75 %  [10 20 30 40]"]
    (line,) = lines_of(FRAME, result(4), "b/a.mp4")
    assert line.startswith("b/a.mp4     1.235 s  person 4  looks")


def test_csv_and_jsonl_have_the_same_columns_and_a_row_for_whatever_was_asked(tmp_path):
    for suffix in (".csv", ".jsonl"):
        with PredictionLog(tmp_path / f"log{suffix}", CLASSES) as log:
            log.write(FRAME, result(4))
            log.write(FRAME, NOBODY)
            log.write_skipped(Skipped("b/c.jpg", 38, "is broken"))
            log.write_skipped(Skipped("b/a.mp4", 90, "damaged", frames=12))
            log.write(FRAME, result(0))
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines == [
        "time_s,frame,face,track,x1,y1,x2,y2,score,label,confidence,p_happiness,p_not-a-face,source,problem",
        "1.235,37,0,4,10.0,20.0,30.1,40.0,0.987654,happiness,0.75,0.75,0.25,b/a.mp4,",
        "1.235,37,,,,,,,,,,,,b/a.mp4,",
        ",38,,,,,,,,,,,,b/c.jpg,is broken",
        ",90,,,,,,,,,,,,b/a.mp4,damaged (12 frames)",
        "1.235,37,0,,10.0,20.0,30.1,40.0,0.987654,happiness,0.75,0.75,0.25,b/a.mp4,",
    ]
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    for cells, row in zip(rows, csv.DictReader(lines), strict=True):
        assert list(cells) == list(row)
        assert {name: "" if value is None else str(value) for name, value in cells.items()} == row
    table = pd.read_csv(tmp_path / "log.csv")  # as a study reads it: in what share of the frames is there a face?
    assert table[table.problem.isna()].face.notna().tolist() == [True, False, True]


def test_names_that_a_spreadsheet_would_run_or_no_utf8_can_hold(tmp_path):
    names = ["=1+1.jpg", "-a.jpg", "@a.jpg", "+a.jpg", "\ta.jpg", 'a,"b"\n.jpg', "a\udcff.jpg"]
    for suffix in (".csv", ".jsonl"):
        with PredictionLog(tmp_path / f"log{suffix}", CLASSES) as log:
            for name in names:
                log.write(replace(FRAME, name=name), NOBODY)
    with open(tmp_path / "log.csv", encoding="utf-8", newline="") as file:
        sources = [row["source"] for row in csv.DictReader(file)]
    assert sources == ["'=1+1.jpg", "'-a.jpg", "'@a.jpg", "'+a.jpg", "'\ta.jpg", 'a,"b"\n.jpg', "a\\udcff.jpg"]
    with open(tmp_path / "log.jsonl", encoding="utf-8") as file:
        assert [json.loads(line)["source"] for line in file] == names


def test_log_grows_under_a_findable_name_and_survives_ctrl_c(tmp_path):
    log = PredictionLog(tmp_path / "log.csv", CLASSES)
    log.write(FRAME, result())
    assert os.listdir(tmp_path) == ["log.partial.csv"]
    assert len((tmp_path / "log.partial.csv").read_text().splitlines()) == 2  # nothing waits in a buffer
    with pytest.raises(KeyboardInterrupt), log:
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["log.csv"]


def test_another_program_that_writes_the_name_meanwhile_loses_nothing(tmp_path):
    said: list[str] = []
    with PredictionLog(tmp_path / "log.csv", CLASSES, notify=said.append):
        (tmp_path / "log.csv").write_text("of another program")
    assert (tmp_path / "log.csv").read_text() == "of another program"
    assert (tmp_path / "log-2.csv").read_text().startswith("time_s,")
    assert "this log is log-2.csv" in said[0]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_log_on_a_full_disk_is_one_sentence(tmp_path):
    log = PredictionLog(tmp_path / "log.csv", CLASSES)
    log.write(FRAME, result())
    with open("/dev/full", "w") as full:
        os.dup2(full.fileno(), log._file.file.fileno())
    with pytest.raises(UserError, match=r"log\.csv ends here: No space left") as error, log:
        log.write(FRAME, result())
    assert error.value.exit_code == 1
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2, "what reached the disk is kept"


def test_log_refuses(tmp_path):
    with pytest.raises(UserError, match=r"ends in \.csv, \.jsonl, which 'log\.txt' does not"):
        PredictionLog(tmp_path / "log.txt", CLASSES)
    with pytest.raises(ValueError, match="not in fieldnames"), PredictionLog(tmp_path / "log.csv", CLASSES[:1]) as log:
        log.write(FRAME, result())
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1  # its header
