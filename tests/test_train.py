"""The trainer: it learns, resumes exactly, survives a kill, and refuses in sentences."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S
from helpers.tiny_runs import FLAGS, TINY, make_learnable, run, same_weights, state_of

import train
from data.datasets import load_faces, load_for_training
from models.checkpoint import load_checkpoint
from models.classifier import Classifier
from models.spec import find_spec
from models.training.learner import Learner
from support import UserError
from support.emotions import EMOTIONS
from support.training.distributed import Distributed
from support.training.run_state import RunFolder

FILES = {"best.onnx", "best.safetensors", "curves.png", "last.pt", "metrics.csv", "previous.pt", "settings.json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_learnable(tmp_path_factory.mktemp("ferplus"))


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """A run of the default network from beginning to end."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert run(folder, out, export=True) == 0
    return out


@pytest.fixture(scope="module")
def tiny(folder, tmp_path_factory):
    """A run of a network that takes no time, from beginning to end."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    assert run(folder, out, *TINY) == 0
    return out


def test_it_learns_and_leaves_everything_in_one_folder(whole):
    history = pd.read_csv(whole / "metrics.csv")
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["size"].tolist() == [36, 42, 42, 48]
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    assert history["accuracy"].max() > 0.7  # guessing gives 0.5
    checkpoint, best = load_checkpoint(whole / "best.safetensors"), history.loc[history["accuracy"].argmax()]
    assert checkpoint.class_names == EMOTIONS
    assert len(checkpoint.class_bias) == 8
    for column in ("accuracy", "ece_uncalibrated"):
        assert checkpoint.scores["validation"][column] == pytest.approx(best[column], abs=1e-5)
    assert json.loads((whole / "settings.json").read_text())["epochs"] == 4
    assert {path.name for path in whole.iterdir()} == FILES


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_both_files_score_what_the_trainer_reported(whole, folder, engine):
    faces = load_faces(folder, "validation")
    classifier = Classifier.from_file(whole / "best.safetensors", engine=engine)
    predicted = classifier.probabilities(faces.images).argmax(axis=1)
    checkpoint = load_checkpoint(whole / "best.safetensors")
    assert (predicted == faces.labels).mean() == pytest.approx(checkpoint.scores["validation"]["accuracy"])


def test_a_run_without_onnx_ends_well_with_a_sentence(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert run(folder, tmp_path / "run", *TINY, "--epochs", "1", export=True) == 0
    assert "there is no .onnx beside" in capsys.readouterr().err
    assert (tmp_path / "run" / "best.safetensors").exists()


@pytest.mark.parametrize("stop_after", [1, 8, 11])
def test_a_run_that_was_stopped_ends_with_the_same_weights(folder, tiny, tmp_path, monkeypatch, stop_after):
    steps, step, handlers, save = [], Learner.step, [signal.getsignal(signal.SIGTERM)], RunFolder.save

    def interrupted(self, *batch, **options):
        steps.append(None)
        if len(steps) == stop_after:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *batch, **options)

    def noted(self, state):
        handlers.append(signal.getsignal(signal.SIGTERM))
        save(self, state)

    monkeypatch.setattr(RunFolder, "save", noted)
    monkeypatch.setattr(Learner, "step", interrupted)
    assert run(folder, tmp_path / "parts", *TINY) == 130
    assert handlers[-1] is not handlers[0]  # another signal does not end it before all is saved
    assert state_of(tmp_path / "parts")["progress"][:2] == divmod(stop_after, 8)
    monkeypatch.setattr(Learner, "step", step)
    assert run(folder, tmp_path / "parts", *TINY, "--resume") == 0
    assert same_weights(tiny, tmp_path / "parts")
    losses = [pd.read_csv(out / "metrics.csv")["train_loss"].tolist() for out in (tiny, tmp_path / "parts")]
    assert losses[0] == losses[1]


KILLER = """
import os, signal, sys, time
from pathlib import Path

import data.loader, models.classifier, models.export, models.training.distillation, models.training.learner, train
import models.training.run_log
from data.datasets import all_formats
from models.spec import all_specs
from support.training.run_state import RunFolder

all_formats(), all_specs()  # all that a run imports is there before the forks
RunFolder.export = lambda *arguments: None
out = Path(sys.argv[sys.argv.index("--out") + 1])
moments = [
    lambda: (out / "settings.json").exists(),  # before the first state
    lambda: any(out.glob(".last-*")),  # while a state is being written
    lambda: (out / "best.safetensors").exists(),  # between the checkpoint and the state
    lambda: (out / "metrics.csv").exists(),
    lambda: time.monotonic() > started + 0.3,
]
for moment in moments:
    started = time.monotonic()
    child = os.fork()
    if not child:
        os._exit(train.main(sys.argv[1:] + ["--resume"] * (out / "last.pt").exists()))
    while not moment() and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.long
@pytest.mark.thorough
@pytest.mark.skipif(not hasattr(os, "waitid"), reason="runs are forks that are waited for as on Linux")
def test_a_run_that_was_killed_again_and_again_ends_with_the_same_weights(folder, tiny, tmp_path):
    argv = ["--data-path", str(folder), "--out", str(tmp_path / "killed"), *FLAGS, *TINY]
    done = subprocess.run(
        [sys.executable, "-c", KILLER, *argv], cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    codes = done.stdout.split()
    assert len(codes) == 5
    assert codes.count("-9") >= 3, done.stderr  # some may have been done before the kill came
    assert run(folder, tmp_path / "killed", *TINY, "--resume") == 0
    assert same_weights(tiny, tmp_path / "killed")


def test_settings_of_a_run_repeat_it(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(RunFolder, "export", lambda *arguments: None)
    argv = ["--config", str(tiny / "settings.json"), "--out", str(tmp_path / "again")]
    assert train.main(argv) == 0
    assert same_weights(tiny, tmp_path / "again")


def test_a_run_is_not_overwritten_nor_resumed_as_another(folder, tiny, tmp_path):
    with pytest.raises(UserError, match="holds a run already"):
        run(folder, tiny, *TINY)
    with pytest.raises(UserError, match=r"started with balance 0\.0 and not 1\.0, lr 0\.05 and not 0\.5; "):
        run(folder, tiny, *TINY, "--resume", "--lr", "0.5", "--balance", "1")
    (folder / "FER2013Train/label.csv").rename(tmp_path / "label.csv")
    lines = (tmp_path / "label.csv").read_text().splitlines(keepends=True)
    (folder / "FER2013Train/label.csv").write_text("".join(lines[1:]))
    with pytest.raises(UserError, match="started with training faces 64 and not 63"):
        run(folder, tiny, *TINY, "--resume")
    (tmp_path / "label.csv").rename(folder / "FER2013Train/label.csv")
    assert run(folder, tiny, *TINY, "--resume", "--tensorboard") == 0  # these settings may change


def test_a_batch_is_split_evenly_or_not_at_all(folder, tmp_path):
    settings = train.Settings(batch_size=8, out=str(tmp_path / "run"))
    faces, three = load_for_training(folder), Distributed(torch.device("cpu"), rank=0, world_size=3)
    with pytest.raises(UserError, match="--batch-size 8 cannot be split evenly over 3 processes"):
        train.Trainer(settings, find_spec("deep_emotion"), *faces, three)


def test_what_cannot_be_trained_is_said(folder, tmp_path):
    with pytest.raises(UserError, match="no folder"):
        train.main(["--data-path", str(tmp_path / "none"), "--device", "cpu"])
    with pytest.raises(UserError, match="no network called"):
        train.main(["--data-path", str(folder), "--model", "lenet"])
    with pytest.raises(UserError, match="64 faces make no batch of 4096"):
        run(folder, tmp_path / "run", "--batch-size", "4096")
    with pytest.raises(UserError, match="two beginnings"):
        run(folder, tmp_path / "run", "--init", "x", "--pretrained")
    with pytest.raises(UserError, match="go together"):
        run(folder, tmp_path / "run", "--distill", "0.5")
    for flags in (["--teacher", "best.onnx", "--distill", "0.5"], ["--init", "best.onnx"]):
        with pytest.raises(UserError, match=r"best\.onnx is for ONNX Runtime .* name the \.safetensors file"):
            run(tmp_path / "unread", tmp_path / "run", *flags)
    with pytest.raises(UserError, match="no pretrained weights of deep_emotion"):
        run(folder, tmp_path / "run", *TINY, "--pretrained")
    assert not (tmp_path / "run").exists()
