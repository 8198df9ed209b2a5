"""The log of predictions, read back with csv and json, and the lines on stdout."""

from __future__ import annotations

import csv
import json
import os

import numpy as np
import pytest

from data.sources.frame import Frame
from pipeline.output.log import PredictionLog, lines_of
from pipeline.run import FaceResult, FrameResult
from retinaface.face import Face
from support import UserError

CLASSES = ("happiness", "not-a-face")
FRAME = Frame(np.zeros((48, 64, 3), np.uint8), 1.23456, 37, "a.png")


def result(track: int = 4) -> FrameResult:
    detected = Face(np.array([10.04, 20, 30.06, 40], np.float32), np.zeros((5, 2), np.float32), 0.98765432)
    probabilities = np.array([0.75, 0.25], np.float32)
    face = FaceResult(detected, probabilities, "happiness", 0.75, None, None, np.zeros((2, 3)), track)
    return FrameResult(FRAME.image_rgb, (face,), CLASSES)


def test_a_line_of_a_picture_names_the_picture_and_one_of_a_film_the_person():
    assert list(lines_of(FRAME, result(0), "a.png")) == ["a.png  face 0  looks like happiness 75%  [10 20 30 40]"]
    assert list(lines_of(FRAME, result(4), None)) == ["   1.235 s  person 4  looks like happiness 75%  [10 20 30 40]"]


def test_csv_and_jsonl_have_the_same_columns(tmp_path):
    for suffix in (".csv", ".jsonl"):
        with PredictionLog(tmp_path / f"log{suffix}", CLASSES) as log:
            log.write(FRAME, result(4))
            log.write(FRAME, FrameResult(FRAME.image_rgb, (), CLASSES))
            log.write(FRAME, result(0))
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines == [
        "time_s,frame,face,track,x1,y1,x2,y2,score,label,confidence,p_happiness,p_not-a-face",
        "1.235,37,0,4,10.0,20.0,30.1,40.0,0.987654,happiness,0.75,0.75,0.25",
        "1.235,37,0,,10.0,20.0,30.1,40.0,0.987654,happiness,0.75,0.75,0.25",
    ]
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    for cells, row in zip(rows, csv.DictReader(lines), strict=True):
        assert list(cells) == list(row)
        assert {name: "" if value is None else str(value) for name, value in cells.items()} == row


def test_log_is_flushed_and_survives_ctrl_c(tmp_path):
    log = PredictionLog(tmp_path / "log.csv", CLASSES)
    log.write(FRAME, result())
    (temporary,) = tmp_path.iterdir()
    assert temporary.name != "log.csv"
    assert len(temporary.read_text().splitlines()) == 2
    with pytest.raises(KeyboardInterrupt), log:
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["log.csv"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_log_on_a_full_disk_is_one_sentence(tmp_path):
    log = PredictionLog(tmp_path / "log.csv", CLASSES)
    log.write(FRAME, result())
    with open("/dev/full", "w") as full:
        os.dup2(full.fileno(), log._file.fileno())
    with pytest.raises(UserError, match=r"cannot write .*log\.csv: No space left") as error, log:
        log.write(FRAME, result())
    assert error.value.exit_code == 1
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2, "what reached the disk is kept"


def test_log_refuses(tmp_path):
    with pytest.raises(UserError, match=r"ends in \.csv, \.jsonl, which 'log\.txt' does not"):
        PredictionLog(tmp_path / "log.txt", CLASSES)
    with pytest.raises(ValueError, match="not in fieldnames"), PredictionLog(tmp_path / "log.csv", CLASSES[:1]) as log:
        log.write(FRAME, result())
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1  # its header
