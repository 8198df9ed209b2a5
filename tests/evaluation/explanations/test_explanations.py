"""The command: faithfulness.json, pictures, a table, from the sample and the shipped network."""

from __future__ import annotations

import contextlib
import io
import json

import cv2
import numpy as np
import pytest

from data.datasets import load_faces
from evaluation.explanations.__main__ import main
from evaluation.explanations.report import crops_for_timing, sample_faces, table
from models.checkpoint import SHIPPED
from support import UserError

PICTURES = {"curves", "randomisation", "randomised_maps", "checks", "mirrored"}


@pytest.fixture(scope="module")
def command(folder, tmp_path_factory):
    """The command's folder and the lines that it printed."""
    out = tmp_path_factory.mktemp("out") / "deep"
    flags = ["--limit", "4", "--steps", "3", "--rounds", "1", "--explainers", "gradcam", "attention"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["--data-path", str(folder), "--out", str(out), "--device", "cpu", *flags]) == 0
    return out, printed.getvalue().splitlines()


def test_the_report_is_complete(command):
    report = json.loads((command[0] / "faithfulness.json").read_text(encoding="utf-8"))
    assert (report["n"], report["of"], report["dataset"], report["split"]) == (4, 12, "ferplus", "test")
    assert (report["network"], report["weights"]) == ("small_resnet18_w32", str(SHIPPED))
    assert set(report["tests"]) == {"gradcam", "attention", "random", "centre"}
    assert set(report["cost"]["ratio"]) == set(report["recommendation"]["reasons"]) == {"gradcam", "attention"}
    for row in report["tests"].values():
        low, high = row["deletion"]["interval"]
        assert 0 <= low <= row["deletion"]["mean"] <= high <= 1
    randomised = report["tests"]["gradcam"]["rank_correlation_randomised"]
    assert next(iter(randomised)) == "fc"
    assert len(randomised) == 13


def test_pictures_are_pictures(command):
    pictures = {path.stem for path in command[0].glob("*.png")}
    assert PICTURES <= pictures <= PICTURES | {"pairs"}
    for name in pictures:
        assert min(cv2.imread(str(command[0] / f"{name}.png")).shape[:2]) > 100


def test_the_table_shows_the_report(command):
    report = json.loads((command[0] / "faithfulness.json").read_text(encoding="utf-8"))
    lines = command[1]
    assert lines == list(table(report))
    row = next(line.split() for line in lines if line.startswith("gradcam "))
    assert row[1] == f"{report['tests']['gradcam']['deletion']['mean']:.3f}"
    assert row[-1] == f"{report['cost']['ratio']['gradcam']:.2f}"
    assert any(line.startswith("gradcam: ") for line in lines)


def test_a_missing_network_is_refused_in_one_sentence(folder, tmp_path):
    with pytest.raises(UserError, match="there is no file none"):
        main(["--data-path", str(folder), "--out", str(tmp_path / "out"), "--weights", "none.safetensors"])
    assert not list(tmp_path.iterdir())


def test_faces_are_sampled_at_random_and_kept_in_order(folder):
    faces = load_faces(folder, "test")
    some = sample_faces(faces, 5, seed=1)
    assert len(some) == 5
    assert list(some.names) == sorted(some.names)
    assert some.names != sample_faces(faces, 5, seed=2).names
    assert len(sample_faces(faces, 500, seed=1)) == 12
    with pytest.raises(UserError, match="two faces"):
        sample_faces(faces.rows(np.array([0])), 5, seed=0)


def test_there_are_five_crops_however_few_faces(folder):
    faces = load_faces(folder, "test")
    assert crops_for_timing(faces).shape == crops_for_timing(faces.rows(np.array([0, 1]))).shape == (5, 48, 48, 3)
