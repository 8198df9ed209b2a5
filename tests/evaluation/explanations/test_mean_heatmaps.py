"""The command: mean_heatmaps.json, picture and table, from the sample and the shipped network."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from helpers.figures import points, render, widths

from data.datasets import load_faces
from evaluation.explanations.face_regions import EDGES, FEWEST, REGIONS, ExpressionMean
from evaluation.explanations.mean_heatmaps import Settings, average, main, mean_heatmaps_figure, table
from models.classifier import Classifier
from support import UserError


def test_report_picture_and_table(folder, tmp_path, capsys):
    assert main(["--data-path", str(folder), "--out", str(tmp_path), "--device", "cpu"]) == 0
    report = json.loads((tmp_path / "mean_heatmaps.json").read_text(encoding="utf-8"))
    lines = list(table(report))
    assert capsys.readouterr().out.splitlines() == lines
    faces = load_faces(folder, "test")
    correct = Classifier.from_file().probabilities(faces.images).argmax(axis=1) == faces.labels
    happiness = report["expressions"]["happiness"]
    assert happiness["correct"] == correct[faces.labels == faces.class_names.index("happiness")].sum()
    assert FEWEST <= happiness["correct"] <= happiness["labelled"] == 6
    assert sum(happiness["shares"][region]["mean"] for region in REGIONS) == pytest.approx(1)
    assert any(f"{100 * happiness['probability_drops']['mouth']['mean']:.1f} (" in line for line in lines)
    assert {"fear", "anger"} <= set(report["left_out"])
    assert list(report["uniform"].values()) == np.diff(EDGES).tolist()
    assert min(cv2.imread(str(tmp_path / "mean_heatmaps.png")).shape[:2]) > 100


def test_unknown_explainers_and_too_few_faces_are_refused(folder, monkeypatch):
    with pytest.raises(UserError, match="there is no explainer lime"):
        average(Settings(data_path=str(folder), device="cpu", explainer="lime"))
    monkeypatch.setattr("evaluation.explanations.face_regions.FEWEST", 50)
    with pytest.raises(UserError, match="name another"):
        average(Settings(data_path=str(folder), device="cpu"))


def test_the_figure_has_a_column_an_expression(rng):
    face, heatmap = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8), rng.random((16, 16), np.float32)
    shares = np.tile([0.1, 0.2, 0.2, 0.4, 0.1], (7, 1))
    means = [
        ExpressionMean("joy", 1234, 2000, face, heatmap, shares, shares / 2),
        ExpressionMean("fear", 7, 9, face, heatmap / 2, shares, shares / 2),
    ]
    figure = render(mean_heatmaps_figure(means, title="t"))
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes[:2]] == ["joy\n1,234 of 2,000", "fear\n7 of 9"]
    np.testing.assert_allclose(widths(figure.axes[4]), shares[0])
    np.testing.assert_allclose(points(figure.axes[4].lines[0])[:, 0], shares[0] / 2)
