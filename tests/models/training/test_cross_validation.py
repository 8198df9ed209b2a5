"""Cross-validation: a folder a fold, mean and sample deviation of what the folds score."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import Checkpoint, save_checkpoint
from models.spec import find_spec
from models.training.cross_validation import cross_validate, scores_on, summarise

OTHERS = dict.fromkeys(("balanced_accuracy", "macro_f1", "kl"), 0.5)
SCORES = [OTHERS | {"accuracy": value} for value in (0.5, 0.75, 0.6)]


def test_mean_and_sample_deviation():
    report = summarise(SCORES)
    assert report["accuracy"]["mean"] == pytest.approx(statistics.mean([0.5, 0.75, 0.6]))
    assert report["accuracy"]["deviation"] == pytest.approx(statistics.stdev([0.5, 0.75, 0.6]))
    assert report["accuracy"]["folds"] == [0.5, 0.75, 0.6]
    assert report["kl"]["deviation"] == 0


def test_each_fold_has_its_folder_and_all_are_told(tmp_path, capsys):
    seen: list[tuple[int, Path]] = []
    assert cross_validate(tmp_path, 3, lambda *fold: seen.append(fold) or SCORES[fold[0]]) == 0
    assert seen == [(number, tmp_path / f"fold{number + 1}") for number in range(3)]
    assert json.loads((tmp_path / "folds.json").read_text()) == summarise(SCORES)
    assert "accuracy of 3 folds: 0.6167, deviation 0.1258" in capsys.readouterr().err


def test_a_fold_that_was_stopped_stops_all_and_nothing_is_written(tmp_path):
    assert cross_validate(tmp_path, 3, lambda number, out: SCORES[0] if number == 0 else None) == 130
    assert not (tmp_path / "folds.json").exists()


def test_other_processes_are_silent(tmp_path, capsys):
    assert cross_validate(tmp_path, 3, lambda number, out: SCORES[number], silent=True) == 0
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""


def test_divergences_are_of_the_crowds_shares_and_calibration_is_of_the_label(tmp_path, rng):
    spec = find_spec("tiny_cnn")
    network = spec.build(3).eval()
    images = rng.integers(0, 256, (20, 40, 40, 3), dtype=np.uint8)
    with torch.inference_mode():
        logits = network(spec.preprocess(images)).double().numpy()
    votes, scale = rng.dirichlet(np.ones(3), 20).astype(np.float32), float(4 / logits.std())
    found = {}
    for label, crowd in ((1.0, 1.0), (3.0, 1.0), (1.0, 3.0)):
        checkpoint = Checkpoint(
            "tiny_cnn", ("a", "b", "c"), spec.preprocess, network.state_dict(),
            temperature=label / scale, crowd_temperature=crowd / scale,
        )  # fmt: skip
        save_checkpoint(tmp_path / "c.safetensors", checkpoint)
        scores = scores_on(tmp_path / "c.safetensors", images, votes.argmax(axis=1), votes, device=torch.device("cpu"))
        shares = np.exp(logits * scale / crowd)
        shares /= shares.sum(axis=1, keepdims=True)
        assert scores["kl"] == pytest.approx((votes * np.log(votes / shares)).sum(axis=1).mean(), rel=1e-4)
        found[label, crowd] = scores
    plain, by_label, by_crowd = found.values()
    assert by_label["ece"] != plain["ece"] == by_crowd["ece"]
    assert by_label["js"] == plain["js"] != by_crowd["js"]
