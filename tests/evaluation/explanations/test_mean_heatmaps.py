"""The command on the sample, and shares and drops of known heatmaps of correctly classified faces."""

from __future__ import annotations

import dataclasses
import json

import cv2
import numpy as np
import pytest
import torch
from helpers.figures import points, render, widths
from helpers.tiny_explained_faces import tiny_explained_faces

from data.datasets import load_faces
from evaluation.explanations.explained_faces import probabilities_of
from evaluation.explanations.mean_heatmaps import (
    EDGES,
    FEWEST,
    REGIONS,
    ExpressionMean,
    Settings,
    average,
    expression_means,
    main,
    mean_heatmaps_figure,
    occlusion_drops,
    region_shares,
    table,
)
from models.classifier import Classifier
from models.preprocess import CROP_TEMPLATE
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
    monkeypatch.setattr("evaluation.explanations.mean_heatmaps.FEWEST", 50)
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


def test_the_lines_of_a_uniform_map_lie_inside(rng):
    face, heatmap = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8), rng.random((16, 16), np.float32)
    even = np.full((FEWEST, len(REGIONS)), 0.2)
    axes = render(mean_heatmaps_figure([ExpressionMean("joy", 5, 5, face, heatmap, even, 0 * even)])).axes[2]
    assert axes.get_xlim()[0] < min(np.diff(EDGES))
    assert axes.get_xlim()[1] > max(np.diff(EDGES)) > 1.1 * 0.2


def test_columns_stand_below_each_other_whatever_the_names():
    row = {"mean": 0.2, "interval": [0.1, 0.3]}
    regions = dict.fromkeys(REGIONS, row)
    expression = {"correct": 5, "labelled": 5, "shares": regions, "probability_drops": regions}
    names = ["joy", "disgustedly surprised"]
    report = {"network": "n", "explainer": "gradcam", "dataset": "d", "split": "test", "left_out": [],
              "uniform": dict(zip(REGIONS, np.diff(EDGES).tolist(), strict=True)),
              "expressions": dict.fromkeys(names, expression)}  # fmt: skip
    lines = [line for line in table(report) if line.startswith((*names, "a uniform", "   "))]
    assert len(lines) == 7
    assert len({len(line) for line in lines}) == 1


def test_each_landmark_lies_in_its_region():
    for name, landmark in (("eyes", 0), ("nose", 2), ("mouth", 3)):
        region = REGIONS.index(name)
        assert EDGES[region] < CROP_TEMPLATE[landmark, 1] < EDGES[region + 1]
    assert list(EDGES) == sorted(EDGES)


def test_shares_of_uniform_maps_of_one_row_and_of_zeros():
    np.testing.assert_allclose(region_shares(np.ones((2, 48, 48), np.float32)), [np.diff(EDGES)] * 2, rtol=1e-6)
    maps = np.zeros((3, 100, 10), np.float32)
    maps[0, 76] = 1  # the mouth lies at 0.757
    maps[1, 0] = 3
    mouth, forehead = region_shares(maps)  # a map of zeros has no shares
    assert mouth.argmax() == REGIONS.index("mouth")
    assert forehead.tolist() == [1, 0, 0, 0, 0]


def test_means_are_over_correctly_classified_faces():
    faces = tiny_explained_faces(4 * FEWEST)
    labels = faces.labels.clone()
    labels[0] = 1  # a red one that is labelled green: classified wrongly
    found = expression_means(dataclasses.replace(faces, labels=labels), "gradcam")
    assert [(each.name, each.correct, each.labelled) for each in found] == [
        ("red", 2 * FEWEST - 1, 2 * FEWEST - 1),
        ("green", 2 * FEWEST, 2 * FEWEST + 1),
    ]
    rows = slice(2, 4 * FEWEST, 2)
    heatmaps = faces.heatmaps(["gradcam"])["gradcam"].numpy()
    np.testing.assert_allclose(found[0].heatmap, heatmaps[rows].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found[0].face, np.mean(faces.images[rows], axis=0), atol=0.5)
    np.testing.assert_allclose(found[0].shares.mean(axis=0), region_shares(heatmaps[rows]).mean(axis=0), atol=1e-6)


def test_the_probability_drops_where_the_region_in_use_is_grey():
    faces = tiny_explained_faces(4)
    x = torch.zeros(1, 2, 32, 32)
    x[0, 0, 22:27] = 1  # red across the mouth, whose region is 0.671 to 0.843 of the height: rows 21 to 26
    before = probabilities_of(faces.network, x)[0, 0].item()
    drops = occlusion_drops(faces, x, torch.tensor([0]))
    assert drops.shape == (1, 5)
    grey = x.clone()
    grey[:, 0, 21:27] = x[:, 0].mean()
    expected = before - probabilities_of(faces.network, grey)[0, 0].item()
    assert drops[0, REGIONS.index("mouth")] == pytest.approx(expected, abs=1e-6)
    assert drops[0].argmax() == REGIONS.index("mouth")
    assert drops[0, 0] < 0.01  # grey is a little red, so the forehead adds to it


def test_expressions_without_any_heat_are_left_out(monkeypatch):
    faces = tiny_explained_faces(4 * FEWEST)
    assert len(expression_means(faces, "gradcam")) == 2

    def blank(faces, x, labels, methods):
        return {name: torch.zeros(len(x), *x.shape[2:]) for name in methods}

    monkeypatch.setattr(type(faces), "explain", blank)
    assert expression_means(faces, "gradcam") == []


def test_expressions_of_few_faces_are_left_out():
    found = expression_means(tiny_explained_faces(2 * FEWEST - 1), "gradcam")
    assert [(each.name, each.correct) for each in found] == [("red", FEWEST)]
