"""The command that calibrates a trained network anew: what it writes, and that classes go by name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from data.datasets import load_faces
from data.face_set import with_labels_for_votes
from evaluation.classification.calibrate import in_order, main
from models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.classifier import Classifier
from models.spec import find_spec
from models.training import calibration
from support import UserError
from support.columns import one_hot
from support.metrics import score
from support.weights import is_half


@pytest.fixture
def path(folder, tmp_path):
    """An untrained network of the sample's classes, in another order, float16."""
    spec, names = find_spec("small_resnet18_w32"), load_faces(folder, "train").class_names[::-1]
    torch.manual_seed(0)
    one = Checkpoint("small_resnet18_w32", names, spec.preprocess, spec.build(len(names)).state_dict(), temperature=9.0)
    save_checkpoint(tmp_path / "x.safetensors", dataclasses.replace(one, scores={"epoch": 2}), half=True)
    return tmp_path / "x.safetensors"


def test_it_writes_what_validation_says_and_exports_it(path, folder, monkeypatch, capsys):
    monkeypatch.setattr(calibration, "FEWEST_FACES", 12)
    before = load_checkpoint(path)
    assert main(["--weights", str(path), "--data-path", str(folder), "--device", "cpu"]) == 0
    found, faces = load_checkpoint(path), load_faces(folder, "validation")
    assert is_half(path)
    assert all(torch.equal(found.weights[name], before.weights[name]) for name in before.weights)
    assert found.scores["epoch"] == 2
    votes = load_faces(folder, "train").votes.mean(axis=0)[::-1]
    assert found.class_prior == pytest.approx(votes / votes.sum(), abs=1e-6)
    logits = Classifier(found).logits(faces.images)
    taken = calibration.fit_temperature(logits, faces.votes[:, ::-1])
    assert found.crowd_temperature == pytest.approx(1.0 if calibration.at_bound(taken) else taken, rel=1e-3)
    onnx = Classifier.from_file(path.with_suffix(".onnx"), confidence="label", prior="balanced")
    np.testing.assert_allclose(onnx.bias_and_temperature["label"][0], found.prior_bias, rtol=1e-6)
    lines = capsys.readouterr().out.splitlines()
    probabilities = Classifier(found, prior="balanced").probabilities(faces.images)
    wanted = score(in_order(faces, found).labels, probabilities, in_order(faces, found).votes)
    (row,) = (line.split() for line in lines if line.startswith("crowd") and "balanced" in line)
    assert [float(text) for text in row[2:5]] == pytest.approx(
        [wanted[name] for name in ("accuracy", "balanced_accuracy", "macro_f1")], abs=6e-4
    )


def test_the_class_prior_is_the_trainings(path, folder, monkeypatch):
    """What the file says stays; else it is counted as the loss had it: votes, or labels for cross-entropy."""
    monkeypatch.setattr(calibration, "FEWEST_FACES", 12)
    before = load_checkpoint(path)
    labels = load_faces(folder, "train").labels
    counted = np.bincount(labels, minlength=len(before.class_names))[::-1] / len(labels)
    told = tuple(range(1, 1 + len(before.class_names)))
    for changes, wanted in (({"settings": {"loss": "cross_entropy"}}, counted), ({"class_prior": told}, told)):
        save_checkpoint(path, dataclasses.replace(before, **changes), half=True)
        assert main(["--weights", str(path), "--data-path", str(folder), "--device", "cpu"]) == 0
        assert load_checkpoint(path).class_prior == pytest.approx(np.array(wanted) / np.sum(wanted), abs=1e-6)


def test_classes_are_mapped_and_many_labels_go_by_name(path, folder, tmp_path, monkeypatch):
    """What --classes leaves counts; and so do one-hot votes that are made only when they are asked for."""
    names = load_checkpoint(path).class_names
    mapping = tmp_path / "classes.csv"
    mapping.write_text(f"{names[0]},{names[1]}\n")
    arguments = ["--weights", str(path), "--data-path", str(folder), "--device", "cpu", "--memory", "0"]
    with pytest.raises(UserError, match="name the data set of its training"):
        main([*arguments, "--classes", str(mapping)])
    labels = with_labels_for_votes(load_faces(folder, "validation"))
    monkeypatch.setattr(one_hot, "DENSE", 0)
    sparse = in_order(with_labels_for_votes(labels), load_checkpoint(path))
    np.testing.assert_array_equal(np.array(sparse.votes), labels.votes[:, ::-1])


def test_few_faces_leave_the_calibration_that_is_there(path, folder):
    before = path.read_bytes()
    with pytest.raises(UserError, match="wants 100 validation faces at least, not 12; nothing was written"):
        main(["--weights", str(path), "--data-path", str(folder), "--device", "cpu"])
    assert path.read_bytes() == before
    assert not path.with_suffix(".onnx").exists()


def test_what_is_not_fitted_is_said(path, folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(calibration, "FEWEST_FACES", 12)
    monkeypatch.setattr(calibration, "at_bound", lambda temperature: True)
    out = tmp_path / "new" / "y.safetensors"
    assert main(["--weights", str(path), "--data-path", str(folder), "--device", "cpu", "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert "not calibrated: the temperature would be" in said
    assert "are written, and not calibrated in full" in said
    assert "are calibrated" not in said
    assert load_checkpoint(out).temperature == 1
    assert load_checkpoint(path).temperature == 9


def test_other_classes_are_refused(path, folder):
    faces = load_faces(folder, "validation")
    with pytest.raises(UserError, match="name the data set of its training"):
        in_order(faces, dataclasses.replace(load_checkpoint(path), class_names=("a", "b")))
    turned = in_order(faces, load_checkpoint(path))
    assert [turned.class_names[i] for i in turned.labels] == [faces.class_names[i] for i in faces.labels]
