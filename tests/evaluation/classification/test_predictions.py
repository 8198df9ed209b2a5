"""The tables that are taken away: read back, they hold the numbers of the evaluation."""

from __future__ import annotations

import csv
import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from data.face_set import FaceSet
from evaluation.classification.compare import compare
from evaluation.classification.predictions import curves_table, read_predictions, write_predictions
from evaluation.classification.report import predictions_of
from evaluation.classification.scores import Evaluation, summary
from support import UserError
from support.metrics import step_average_precision


@pytest.fixture
def evaluation(rng) -> Evaluation:
    votes = rng.dirichlet([1, 1, 1], 30).astype(np.float32)
    crowd, label = (rng.dirichlet([1, 1, 1], 30).astype(np.float32) for _ in range(2))
    names = ("NA", *(f"{i}, a.png" for i in range(29)))
    faces = FaceSet(np.zeros((30, 4, 4, 3), np.uint8), votes, votes.argmax(axis=1), names, ("calm", "glad", "sad"))
    return Evaluation(faces, crowd, label, {})


def test_the_tables_hold_the_numbers(evaluation, tmp_path):
    write_predictions(tmp_path, evaluation)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confusion.csv", "curves.csv", "predictions.csv"]
    table = pd.read_csv(tmp_path / "predictions.csv", keep_default_na=False)
    for prefix, values in (("votes", evaluation.faces.votes), ("p", evaluation.label), ("crowd", evaluation.crowd)):
        found = table[[f"{prefix}_{name}" for name in ("calm", "glad", "sad")]].to_numpy(np.float32)
        np.testing.assert_array_equal(found, values)
    confusion = pd.read_csv(tmp_path / "confusion.csv", index_col=0)
    np.testing.assert_array_equal(confusion.to_numpy(), evaluation.confusion)
    assert list(confusion.index) == ["calm", "glad", "sad"]
    back = read_predictions(tmp_path / "predictions.csv")
    assert back.names == evaluation.faces.names
    assert (back.predicted == np.array(["calm", "glad", "sad"])[evaluation.label.argmax(axis=1)]).all()
    curves = pd.read_csv(tmp_path / "curves.csv")
    faces = evaluation.faces
    scores = summary(faces.labels, faces.votes, evaluation.crowd, evaluation.label, class_names=faces.class_names)
    for name, row in scores["per_class"].items():
        roc = curves[(curves["class"] == name) & (curves["curve"] == "roc")]
        assert np.trapezoid(roc["y"], roc["x"]) == pytest.approx(row["auroc"])


def test_the_curve_of_a_rare_class_keeps_its_area(evaluation, rng):
    """Of 4,000 points 500 are written: those of the few hits, not of the many rows behind them."""
    scores = np.sort(rng.random(4000))[::-1]
    votes = np.zeros((4000, 3), np.float32)
    votes[:, 0] = 1
    votes[[0, 1, 3, 9, 40, 80, 200, 500, 1500, 3000]] = (0, 0, 1)
    label = np.column_stack([1 - scores, np.zeros(4000), scores]).astype(np.float32)
    names = tuple(map(str, range(4000)))
    faces = dataclasses.replace(evaluation.faces, votes=votes, labels=votes.argmax(axis=1), names=names)
    table = curves_table(dataclasses.replace(evaluation, faces=faces, label=label, crowd=label))
    curve = table[(table["class"] == "sad") & (table["curve"] == "pr")]
    area = (np.diff(curve["x"], prepend=0) * curve["y"]).sum()
    assert len(curve) <= 500
    assert area == pytest.approx(step_average_precision(label[:, 2], faces.labels == 2), rel=0.02)


def test_no_cell_is_run_by_a_spreadsheet_and_any_name_can_be_written(evaluation, tmp_path):
    names = ('=HYPERLINK("x")', "+1.png", "\udcff.png", *evaluation.faces.names[3:])
    faces = dataclasses.replace(evaluation.faces, names=names, class_names=("=calm", "@glad", "-sad"))
    write_predictions(tmp_path, dataclasses.replace(evaluation, faces=faces))
    for path in tmp_path.iterdir():
        with open(path, newline="", encoding="utf-8") as file:
            cells = {cell for row in csv.reader(file) for cell in row}
        assert not [cell for cell in cells if re.match(r"[=+@\t\r]|-[^0-9.]", cell)], path.name
    back = read_predictions(tmp_path / "predictions.csv")
    assert back.names[:3] == ('=HYPERLINK("x")', "+1.png", "\\udcff.png")
    assert set(back.labels) == {"=calm", "@glad", "-sad"}


def test_odd_names_come_back_and_compare_with_those_of_the_evaluation(evaluation, tmp_path):
    names = ("d.png", "b\udcff.png", " c.png", "e\nf.png", *evaluation.faces.names[4:])
    faces = dataclasses.replace(evaluation.faces, names=names, class_names=("=calm", "glad\udcff", "sad"))
    evaluation = dataclasses.replace(evaluation, faces=faces)
    write_predictions(tmp_path, evaluation)
    back = read_predictions(tmp_path / "predictions.csv")
    assert back.names == ("d.png", "b\\udcff.png", *names[2:])
    found = compare(predictions_of(evaluation), back)
    assert found["n"] == 30
    assert found["mcnemar"]["only_first_right"] == found["mcnemar"]["only_second_right"] == 0


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "file,label,predicted\n", "file,label,predicted\na,x,x\na,x,x\n"])
def test_other_files_are_refused_in_a_sentence(tmp_path, text):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(UserError, match=r"is no predictions.csv|must name every face once"):
        read_predictions(tmp_path / "p.csv")
