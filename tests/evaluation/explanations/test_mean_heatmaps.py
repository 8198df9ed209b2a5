"""The command: mean_heat.json, the picture and the table, from the sample and the shipped network."""

from __future__ import annotations

import json

import cv2
import pytest

from data.sample_set import write_sample_set
from evaluation.explanations.face_regions import FEWEST, REGIONS
from evaluation.explanations.mean_heatmaps import main
from evaluation.explanations.mean_heatmaps_report import table
from support import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_sample_set(tmp_path_factory.mktemp("sample"))


def test_report_picture_and_table(folder, tmp_path, capsys):
    assert main(["--data-path", str(folder), "--out", str(tmp_path), "--device", "cpu"]) == 0
    report = json.loads((tmp_path / "mean_heat.json").read_text(encoding="utf-8"))
    assert capsys.readouterr().out.splitlines() == list(table(report))
    happiness = report["expressions"]["happiness"]
    assert FEWEST <= happiness["n"] <= happiness["of"] == 6
    shares = [happiness["shares"][region]["mean"] for region in REGIONS]
    assert sum(shares) == pytest.approx(1)
    assert {"fear", "anger"} <= set(report["left_out"])
    assert sum(report["even"].values()) == pytest.approx(1)
    assert min(cv2.imread(str(tmp_path / "mean_heat.png")).shape[:2]) > 100


def test_an_explainer_that_is_none_is_refused(folder, tmp_path):
    with pytest.raises(UserError, match="there is no explainer lime"):
        main(["--data-path", str(folder), "--out", str(tmp_path), "--device", "cpu", "--explainer", "lime"])
