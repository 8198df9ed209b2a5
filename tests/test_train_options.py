"""What each flag of train.py does to a run, and that a data set of every format goes from training to scores."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.tiny_runs import TINY, make_learnable, run, state_of
from helpers.tiny_sets import make_fer2013, make_image_folder, make_raf_official, make_raf_reference

import train
from evaluation.classification import __main__ as evaluation
from models.checkpoint import load_checkpoint
from models.training import validation
from models.training.learner import Learner
from support import UserError
from support.cli import kinds_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three neutral faces for each sad one."""
    return make_learnable(tmp_path_factory.mktemp("ferplus"), every=4)


@pytest.fixture(scope="module")
def plain(folder, tmp_path_factory):
    """One epoch without any option."""
    out = tmp_path_factory.mktemp("runs") / "plain"
    assert run(folder, out, *TINY, "--epochs", "1") == 0
    return out


CHANGES = (
    "loss cross_entropy, label-smoothing 0.2, balance 1, mixup 1, cutmix 1, optimiser adam, optimiser adamw, "
    "schedule constant, warmup 0.5, weight-decay 0.1, momentum 0, sam 0.1, clip-norm 0.1, seed 1, accumulate 2, "
    "freeze fc1, class-weights 1, augment 0.5, lr-batch 32, light 0.5, noise 20, augment-on device"
)


@pytest.mark.parametrize("change", CHANGES.split(", "))
def test_each_option_changes_the_weights(folder, plain, tmp_path, change):
    flag, value = change.split()
    assert run(folder, tmp_path / "run", *TINY, "--epochs", "1", f"--{flag}", value) == 0
    before, after = (state_of(out)["network"]["fc2.weight"] for out in (plain, tmp_path / "run"))
    assert torch.isfinite(after).all()
    assert not torch.equal(before, after)


@pytest.mark.parametrize(("flag", "size"), [("--progressive-resizing", 36), ("--no-progressive-resizing", 48)])
def test_progressive_resizing_starts_with_smaller_pictures(folder, tmp_path, monkeypatch, flag, size):
    batches = batches_of(folder, tmp_path / "run", monkeypatch, flag, model="small_resnet18_w32", epochs=2)
    assert [x.shape for x, _ in (batches[0], batches[-1])] == [(8, 1, size, size), (8, 1, 48, 48)]


def batches_of(folder, out, monkeypatch, *flags: str, model: str = TINY[1], epochs: int = 1) -> list[tuple]:
    """The (x, target) of each step; the weights stay as they are."""
    seen = []

    def step(self, x, target, **options):
        seen.append((x.numpy(), target.numpy()))
        return torch.tensor(1.0)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", step)
        assert run(folder, out, "--model", model, "--epochs", str(epochs), *flags) == 0
    assert len(seen) == 8 * epochs
    return seen


def test_targets_are_votes_labels_or_mixed_with_those_of_teachers(folder, plain, tmp_path, monkeypatch):
    votes = batches_of(folder, tmp_path / "votes", monkeypatch)
    labels = batches_of(folder, tmp_path / "labels", monkeypatch, "--loss", "cross_entropy")
    teacher = str(plain / "best.safetensors")
    distilled = batches_of(folder, tmp_path / "distilled", monkeypatch, "--teacher", teacher, "--distill", "0.25")
    network = load_checkpoint(teacher).build()
    for (x, v), (same_x, y), (also_x, t) in zip(votes, labels, distilled, strict=True):
        np.testing.assert_array_equal(x, same_x)
        np.testing.assert_array_equal(x, also_x)
        assert v.max(axis=1).tolist() == pytest.approx([0.8] * 8)
        np.testing.assert_array_equal(y, np.eye(8)[v.argmax(axis=1)])
        with torch.inference_mode():
            predicted = network(torch.from_numpy(x)).softmax(dim=1).numpy()  # of the augmented picture
        np.testing.assert_allclose(t, 0.75 * v + 0.25 * predicted, atol=1e-6)


def test_a_small_learning_rate_is_not_written_as_none(folder, tmp_path):
    flags = ["--epochs", "1", "--lr", "3.25e-7", "--schedule", "constant"]
    assert run(folder, tmp_path / "run", *TINY, *flags) == 0
    assert pd.read_csv(tmp_path / "run" / "metrics.csv")["lr"].tolist() == [3.25e-7]


def test_balance_shows_rare_classes_as_often(folder, tmp_path, monkeypatch):
    counts = []
    for balance in ("0", "1"):
        batches = batches_of(folder, tmp_path / balance, monkeypatch, "--balance", balance)
        counts.append(np.bincount(np.concatenate([target.argmax(axis=1) for _, target in batches])))
    assert counts[0].tolist() == [48, 0, 0, 16]
    assert counts[1].tolist() == [32, 0, 0, 32]


def test_init_maps_the_head_by_class_name_from_ferplus_to_raf_db(plain, tmp_path):
    raf = make_raf_reference(tmp_path / "RAF")
    flags = ["--epochs", "1", "--lr", "1e-9", "--init", str(plain / "best.safetensors")]
    assert run(raf, tmp_path / "raf", *TINY, *flags) == 0
    before, after = (load_checkpoint(out / "best.safetensors") for out in (plain, tmp_path / "raf"))
    assert (len(before.class_names), len(after.class_names)) == (8, 7)
    for key in ("fc2.weight", "fc2.bias"):
        rows = [before.class_names.index(name) for name in after.class_names]
        torch.testing.assert_close(after.weights[key], before.weights[key][rows], atol=1e-6, rtol=0)
    torch.testing.assert_close(after.weights["fc1.weight"], before.weights["fc1.weight"], atol=1e-6, rtol=0)


def test_a_run_stops_early_and_stays_stopped(folder, tmp_path, monkeypatch, capsys):
    macro_f1 = iter([0.2, 0.5, 0.4, 0.5, 0.9, 0.9])
    validate = validation.validate

    def scripted(*faces):
        scores, logits = validate(*faces)
        return scores | {"macro_f1": next(macro_f1)}, logits

    monkeypatch.setattr(validation, "validate", scripted)
    flags = [*TINY, "--epochs", "6", "--patience", "2"]
    assert run(folder, tmp_path / "run", *flags) == 0
    assert "no better macro-F1 for 2 epochs" in capsys.readouterr().err
    for _ in range(2):
        assert pd.read_csv(tmp_path / "run" / "metrics.csv")["macro_f1"].tolist() == [0.2, 0.5, 0.4, 0.5]
        assert run(folder, tmp_path / "run", *flags, "--resume") == 0
    assert run(folder, tmp_path / "run", *flags[:-2], "--resume", "--patience", "0") == 0  # with more of it on it goes
    assert pd.read_csv(tmp_path / "run" / "metrics.csv")["macro_f1"].tolist() == [0.2, 0.5, 0.4, 0.5, 0.9, 0.9]


@pytest.mark.parametrize(("monitor", "kept"), [("accuracy", 2), ("macro_f1", 3), ("kl", 1)])
def test_the_kept_epoch_is_the_best_of_the_monitored_score(folder, tmp_path, monkeypatch, monitor, kept):
    scripted = iter([(0.5, 0.1, 0.1), (0.9, 0.2, 0.3), (0.8, 0.6, 0.2)])
    validate = validation.validate

    def scored(*faces):
        scores, logits = validate(*faces)
        return scores | dict(zip(("accuracy", "macro_f1", "kl"), next(scripted), strict=True)), logits

    monkeypatch.setattr(validation, "validate", scored)
    assert run(folder, tmp_path / "run", *TINY, "--epochs", "3", "--monitor", monitor) == 0
    assert load_checkpoint(tmp_path / "run" / "best.safetensors").scores["epoch"] == kept


NUMBERS = [name for name, kind in kinds_of(train.Settings).items() if kind in (int, float)]


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_mean_nothing_are_refused_before_data_are_read(name, capsys):
    for value in ("-1", "nan", "inf", "1e300"):
        with pytest.raises(SystemExit, match="2"):
            train.main([f"--{name.replace('_', '-')}", value, "--data-path", "nowhere"])
        assert f"argument --{name.replace('_', '-')}: wanted a" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags", ["ema 1", "momentum 1", "label-smoothing 1", "lr 0", "lr 1000", "epochs 2000000", "workers 5000",
              "threads 5000", "weight-decay 2", "sam 1000", "mixup 1e6"],
)  # fmt: skip
def test_numbers_with_which_nothing_would_be_learned_are_refused(flags, capsys):
    flag, value = flags.split()
    with pytest.raises(SystemExit, match="2"):
        train.main([f"--{flag}", value])
    assert f"argument --{flag}: wanted a" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "words"), [("imgsz 1", "larger --imgsz"), ("lr-batch 1000000000", "another --lr-batch")]
)
def test_sides_and_rates_that_mean_nothing_are_refused(folder, tmp_path, flags, words):
    flag, value = flags.split()
    with pytest.raises(UserError, match=words):
        run(folder, tmp_path / "run", f"--{flag}", value)


def make_expressions(root):
    """Class folders under train/ and test/; no validation, one class that FER+ does not know."""
    words = ("Happy", "blank stare", "wink")
    return make_image_folder(root, {f"train/{w}": 20 for w in words} | {f"test/{w}": 3 for w in words})


@pytest.mark.parametrize(
    ("make", "classes"), [(make_raf_official, 7), (make_raf_reference, 7), (make_fer2013, 7), (make_expressions, 3)]
)
def test_every_format_goes_from_training_to_scores(tmp_path, capsys, make, classes):
    data = make(tmp_path / "data")
    assert run(data, tmp_path / "run", *TINY, "--epochs", "1", "--batch-size", "2") == 0
    assert ("training on labels" in capsys.readouterr().err) == (
        make is not make_raf_reference
    )  # the only one with votes
    weights = str(tmp_path / "run" / "best.safetensors")
    argv = ["--weights", weights, "--data-path", str(data), "--split", "test", "--out", str(tmp_path / "scores")]
    assert evaluation.main([*argv, "--device", "cpu"]) == 0
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())
    assert len(scores["per_class"]) == classes
    assert sum(row["support"] for row in scores["per_class"].values()) == scores["n"] > 0
    assert 0 <= scores["ece"] <= 1
