"""The report of mean heat: what counts, what is left out; the command itself is tested in test_mean_heat.py."""

from __future__ import annotations

import numpy as np
import pytest

from data.datasets import load_faces
from data.sample_set import write_sample_set
from evaluation.explanations.face_regions import EDGES, REGIONS
from evaluation.explanations.mean_heatmaps_report import Settings, averaged, table
from models.classifier import Classifier
from support import UserError


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(data_path=str(write_sample_set(tmp_path_factory.mktemp("sample"))), device="cpu")


def test_the_report_is_of_the_faces_read_rightly(settings):
    expressions, report = averaged(settings)
    faces = load_faces(settings.data_path, "test")
    right = Classifier.from_file().probabilities(faces.images).argmax(axis=1) == faces.labels
    happiness = report["expressions"]["happiness"]
    assert happiness["n"] == right[faces.labels == faces.class_names.index("happiness")].sum()
    (each,) = (each for each in expressions if each.name == "happiness")
    column = REGIONS.index("mouth")
    assert happiness["shares"]["mouth"]["mean"] == pytest.approx(each.shares[:, column].mean())
    assert happiness["lost"]["mouth"]["mean"] == pytest.approx(each.lost[:, column].mean())
    assert list(report["even"].values()) == np.diff(EDGES).tolist()
    assert any(f"{100 * each.lost[:, column].mean():.1f} (" in line for line in table(report))


def test_no_expression_with_enough_faces(settings, monkeypatch):
    monkeypatch.setattr("evaluation.explanations.face_regions.FEWEST", 50)
    with pytest.raises(UserError, match="name another"):
        averaged(settings)
