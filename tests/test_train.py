"""The trainer: it learns, resumes to the bit, survives a kill, and refuses in sentences."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

import train
from data.emotions import EMOTIONS
from evaluation.metrics import kl_divergence
from models.checkpoint import load_checkpoint
from models.classifier import Classifier
from support import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A FER+ folder in small: light above for one expression, light below for another."""
    folder = tmp_path_factory.mktemp("ferplus")
    rng = np.random.default_rng(0)
    for part, count in (("FER2013Train", 96), ("FER2013Valid", 24), ("FER2013Test", 8)):
        (folder / part).mkdir()
        lines = []
        for number in range(count):
            image = rng.integers(0, 90, (48, 48), dtype=np.uint8)
            kind = number % 2
            image[24 * kind : 24 * kind + 24] += 120
            name = f"{part}{number}.png"
            (folder / part / name).write_bytes(cv2.imencode(".png", image)[1].tobytes())
            votes = [0] * 10
            votes[3 * kind], votes[1] = 8, 2  # neutral or sadness, and a little happiness
            lines.append(f'{name},"(0, 0, 48, 48)",{",".join(map(str, votes))}\n')
        (folder / part / "label.csv").write_text("".join(lines))
    return folder


def run(folder, out, *extra: str) -> int:
    return train.main(
        [
            "--data-path",
            str(folder),
            "--out",
            str(out),
            "--device",
            "cpu",
            "--batch-size",
            "16",
            "--epochs",
            "3",
            "--lr",
            "0.05",
            "--ema",
            "0.1",
            *extra,
        ]
    )


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """A run from beginning to end."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert run(folder, out) == 0
    return out


def test_it_learns_and_leaves_all_of_a_run_in_one_folder(whole):
    history = pd.read_csv(whole / "metrics.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["size"].tolist() == [36, 36, 42]
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    assert history["accuracy"].max() > 0.7  # guessing gives 0.5
    checkpoint = load_checkpoint(whole / "best.safetensors")
    assert checkpoint.class_names == EMOTIONS
    assert checkpoint.scores["validation"]["accuracy"] == pytest.approx(history["accuracy"].max(), abs=1e-5)
    assert json.loads((whole / "settings.json").read_text())["epochs"] == 3


def test_the_checkpoint_scores_what_the_trainer_said(whole, folder):
    from data.datasets import load_faces

    faces = load_faces(folder, "validation")
    predicted = Classifier.from_file(whole / "best.safetensors").probabilities(faces.images).argmax(axis=1)
    checkpoint = load_checkpoint(whole / "best.safetensors")
    assert (predicted == faces.labels).mean() == pytest.approx(checkpoint.scores["validation"]["accuracy"])


@pytest.mark.parametrize("stop_after", [2, 6, 9])
def test_a_run_that_was_stopped_ends_with_the_same_weights(folder, whole, tmp_path, monkeypatch, stop_after):
    steps = []
    set_lr = train.Trainer._set_lr

    def interrupted(self):
        steps.append(self.step)
        if len(steps) == stop_after:
            raise KeyboardInterrupt
        return set_lr(self)

    monkeypatch.setattr(train.Trainer, "_set_lr", interrupted)
    assert run(folder, tmp_path / "parts") == 130
    monkeypatch.setattr(train.Trainer, "_set_lr", set_lr)
    assert run(folder, tmp_path / "parts", "--resume") == 0
    first, second = (torch.load(out / "last.pt", weights_only=True) for out in (whole, tmp_path / "parts"))
    for name in ("network", "ema"):
        assert all(torch.equal(first[name][key], second[name][key]) for key in first[name])
    losses = [pd.read_csv(out / "metrics.csv")["train_loss"].tolist() for out in (whole, tmp_path / "parts")]
    assert losses[0] == losses[1]


def test_a_run_is_not_overwritten_nor_resumed_as_another(folder, whole):
    with pytest.raises(UserError, match="holds a run already"):
        run(folder, whole)
    with pytest.raises(UserError, match="other values of lr"):
        run(folder, whole, "--resume", "--lr", "0.5")


def test_what_cannot_be_trained_is_said(folder, tmp_path):
    with pytest.raises(UserError, match="no folder"):
        train.main(["--data-path", str(tmp_path / "none"), "--device", "cpu"])
    with pytest.raises(UserError, match="no network called"):
        train.main(["--data-path", str(folder), "--model", "alexnet"])
    with pytest.raises(UserError, match="make no batch"):
        run(folder, tmp_path / "run", "--batch-size", "4096")


def test_the_loss_is_the_divergence_and_for_one_label_cross_entropy(rng):
    logits = torch.from_numpy(rng.normal(size=(6, 5)).astype(np.float32))
    votes = rng.dirichlet(np.ones(5), 6).astype(np.float32)
    expected = kl_divergence(votes, logits.softmax(dim=1).numpy())
    assert train.kl_loss(logits, torch.from_numpy(votes)).item() == pytest.approx(expected, rel=1e-4)
    labels = torch.arange(5)
    one_hot = torch.eye(5)
    cross_entropy = torch.nn.functional.cross_entropy(logits[:5], labels)
    torch.testing.assert_close(train.kl_loss(logits[:5], one_hot), cross_entropy)
    smooth = torch.nn.functional.cross_entropy(logits[:5], labels, label_smoothing=0.1)
    entropy = -(0.92 * np.log(0.92) + 4 * 0.02 * np.log(0.02))  # KL is cross-entropy less the target's own entropy
    assert train.kl_loss(logits[:5], one_hot, smoothing=0.1).item() == pytest.approx(smooth.item() - entropy, rel=1e-4)


def test_norms_and_biases_do_not_decay():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    decaying, free = train.weight_groups(network, 0.1)
    assert [tuple(p.shape) for p in decaying["params"]] == [(2, 1, 3, 3)]
    assert len(free["params"]) == 3
    assert free["weight_decay"] == 0
