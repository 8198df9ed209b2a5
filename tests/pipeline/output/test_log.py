"""The log of predictions, read back with csv and json, and the lines on stdout."""

from __future__ import annotations

import csv
import json
import os

import numpy as np
import pytest

from data.sources.frame import Frame
from pipeline.output.log import PredictionLog, Row, line_of, rows_of
from pipeline.run import FaceResult, FrameResult
from retinaface.face import Face
from support import UserError

CLASSES = ("happiness", "not-a-face")
ROW = Row(1.23456, 37, 0, 4, 10.04, 20.0, 30.06, 40.0, 0.98765432, "happiness", 0.75, (0.75, 0.25))


def result(track: int) -> FrameResult:
    detected = Face(np.array([10.2, 20, 30, 40], np.float32), np.zeros((5, 2), np.float32), 0.9)
    probabilities = np.array([0.75, 0.25], np.float32)
    face = FaceResult(detected, probabilities, "happiness", 0.75, None, None, np.zeros((2, 3)), track)
    return FrameResult(np.zeros((48, 64, 3), np.uint8), (face,), CLASSES)


def test_a_line_of_a_picture_names_the_picture_and_one_of_a_film_the_person():
    frame = Frame(np.zeros((48, 64, 3), np.uint8), 1.5, 3, "a.png")
    (row,) = rows_of(frame, result(track=0))
    assert line_of(row, "a.png") == "a.png  face 0  looks like happiness 75%  [10 20 30 40]"
    assert row.track is None
    (row,) = rows_of(frame, result(track=4))
    assert line_of(row, None) == "   1.500 s  person 4  looks like happiness 75%  [10 20 30 40]"
    assert row.probabilities == [0.75, 0.25]


def test_csv(tmp_path):
    with PredictionLog(tmp_path / "log.csv", CLASSES) as log:
        log.write([ROW, ROW])
        log.write([])
    lines = (tmp_path / "log.csv").read_text().splitlines()
    columns = "time_s,frame,face,track,x1,y1,x2,y2,score,label,confidence,p_happiness,p_not-a-face"
    assert lines == [columns] + ["1.235,37,0,4,10.0,20.0,30.1,40.0,0.987654,happiness,0.75,0.75,0.25"] * 2


def test_jsonl_has_the_same_columns(tmp_path):
    for suffix in (".csv", ".jsonl"):
        with PredictionLog(tmp_path / f"log{suffix}", CLASSES) as log:
            log.write([ROW])
    cells = json.loads((tmp_path / "log.jsonl").read_text())
    with open(tmp_path / "log.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(cells) == list(row)
    assert {name: str(value) for name, value in cells.items()} == row


def test_log_is_flushed_and_survives_ctrl_c(tmp_path):
    log = PredictionLog(tmp_path / "log.csv", CLASSES)
    log.write([ROW])
    (temporary,) = tmp_path.iterdir()
    assert temporary.name != "log.csv"
    assert len(temporary.read_text().splitlines()) == 2
    with pytest.raises(KeyboardInterrupt), log:
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["log.csv"]


def test_log_without_rows_has_its_header(tmp_path):
    PredictionLog(tmp_path / "log.csv", CLASSES).close()
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_log_on_a_full_disk_is_one_sentence(tmp_path):
    log = PredictionLog(tmp_path / "log.csv", CLASSES)
    log.write([ROW])
    with open("/dev/full", "w") as full:
        os.dup2(full.fileno(), log._file.fileno())
    with pytest.raises(UserError, match=r"cannot write .*log\.csv: No space left") as error, log:
        log.write([ROW])
    assert error.value.exit_code == 1
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2, "what reached the disk is kept"


def test_log_refuses(tmp_path):
    with pytest.raises(UserError, match=r"ends in \.csv, \.jsonl, which 'log\.txt' does not"):
        PredictionLog(tmp_path / "log.txt", CLASSES)
    with pytest.raises(ValueError, match="zip"), PredictionLog(tmp_path / "log.csv", CLASSES[:1]) as log:
        log.write([ROW])
