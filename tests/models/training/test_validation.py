"""Scores are those of the logits, over all faces; the checkpoint of the best network holds what a program needs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.tiny_runs import PLAIN, plain_network

from models.checkpoint import load_checkpoint
from models.spec import all_specs
from models.training.settings import Settings
from models.training.validation import export_best, save_best, validate
from support import UserError
from support.training.distributed import Distributed


def test_scores_and_checkpoint(tmp_path, rng, monkeypatch, capsys):
    monkeypatch.setitem(all_specs(), "plain", PLAIN)
    images = rng.integers(0, 256, (20, 48, 48, 3), dtype=np.uint8)
    labels, network = np.arange(20) % 3, plain_network(3).eval()
    votes = np.eye(3, dtype=np.float32)[labels]
    alone = Distributed(torch.device("cpu"))
    scores, logits = validate(network, PLAIN.preprocess, images, labels, votes, alone)
    with torch.inference_mode():
        expected = network(PLAIN.preprocess(images)).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert scores["accuracy"] == pytest.approx((expected.argmax(axis=1) == labels).mean())
    assert "ece" not in scores
    save_best(
        tmp_path / "best.safetensors", network, settings=Settings(model="plain", seed=5), preprocess=PLAIN.preprocess,
        class_names=("a", "b", "c"), scores=scores, epoch=7, logits=logits, labels=labels, votes=votes,
        class_shares=np.full(3, 1 / 3),
    )  # fmt: skip
    saved = load_checkpoint(tmp_path / "best.safetensors")
    assert saved.class_names == ("a", "b", "c")
    assert (saved.scores["epoch"], saved.settings["seed"]) == (7, 5)
    assert saved.scores["validation"]["accuracy"] == pytest.approx(scores["accuracy"])
    export_best(tmp_path / "best.safetensors")
    assert (tmp_path / "best.onnx").is_file()
    assert "not calibrated: 20 faces are too few" in capsys.readouterr().err


def test_a_network_that_has_diverged_is_told_in_a_sentence(rng):
    network = plain_network(2).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(float("nan"))
    images, labels = rng.integers(0, 256, (3, 48, 48, 3), dtype=np.uint8), np.array([0, 1, 0])
    with pytest.raises(UserError, match=r"not finite on the validation faces.*begin again with a lower --lr") as error:
        validate(network, PLAIN.preprocess, images, labels, np.eye(2)[labels], Distributed(torch.device("cpu")))
    assert error.value.exit_code == 1
