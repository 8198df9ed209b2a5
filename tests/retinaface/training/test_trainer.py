"""The training of the detector: it learns, resumes exactly, and runs in two processes."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal

import numpy as np
import pytest
import torch
from helpers.patience import PATIENCE_S
from helpers.tiny_detector_runs import FLAGS, files_of, make_annotated, run
from helpers.tiny_runs import state_of, torchrun

from retinaface.checkpoint import load_network
from retinaface.detector import RetinaFace
from retinaface.network import RetinaFaceNetwork
from retinaface.training.__main__ import main
from retinaface.training.annotations import read_annotations, read_pictures
from retinaface.training.trainer import Trainer, digests, lost_a_worker, source_of
from support import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory, portrait):
    return make_annotated(tmp_path_factory.mktemp("faces"), portrait)


def test_a_run_leaves_weights_that_load_and_losses_that_fall(folder, tmp_path):
    flags = ["--steps", "30", "--save-every", "10", "--ema", "0.9"]
    assert run(folder, tmp_path / "run", *flags, export=True) == 0
    history = np.genfromtxt(tmp_path / "run" / "metrics.csv", delimiter=",", names=True)
    assert history["step"].tolist() == [10, 20, 30]
    assert history["landmark"][2] < history["landmark"][0]
    for engine in ("torch", "onnx"):  # weights.safetensors, and weights.onnx beside it
        RetinaFace.from_file(tmp_path / "run" / "weights.safetensors", engine=engine)([np.zeros((64, 64, 3), np.uint8)])
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["steps"] == 30
    with pytest.raises(UserError, match="holds a run already"):
        run(folder, tmp_path / "run", "--steps", "30")
    with pytest.raises(UserError, match=r"started with lr 0\.003 and not 0\.1"):
        run(folder, tmp_path / "run", *flags, "--resume", "--lr", "0.1")


def test_resume_takes_the_flags_of_the_run(folder, tmp_path):
    assert run(folder, tmp_path / "run", "--steps", "2", "--save-every", "2", export=True) == 0
    before = (tmp_path / "run" / "weights.safetensors").read_bytes()
    with pytest.raises(UserError, match=r"started with init '' and not 'gone\.safetensors'"):  # nor looked for
        main(["--out", str(tmp_path / "run"), "--resume", "--init", "gone.safetensors"])
    assert main(["--out", str(tmp_path / "run"), "--resume"]) == 0
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == before


def test_sources_are_the_folders_that_names_begin_with_or_all():
    assert [source_of(name) for name in ("lfw/a/1.jpg", "lfw/2.jpg", "3.jpg")] == ["lfw", "lfw", "all"]


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("DataLoader worker (pid 3) is killed by signal: Killed."), True),
        (RuntimeError("DataLoader worker (pid(s) 3, 4) exited unexpectedly"), True),
        (ConnectionResetError(104, "Connection reset by peer"), True),
        (EOFError(), True),
        (EOFError("Caught EOFError in DataLoader worker process 0."), False),
        (RuntimeError("Caught RuntimeError in DataLoader worker process 0."), False),
        (RuntimeError("the shapes do not fit"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_a_lost_worker_is_told_from_a_mistake(error, lost):
    assert lost_a_worker(error) is lost


def test_a_run_that_was_stopped_ends_with_the_same_weights(folder, tmp_path, monkeypatch):
    assert run(folder, tmp_path / "whole", "--steps", "6", "--save-every", "3") == 0
    train_step, save, handlers = Trainer.train_step, Trainer.save, [signal.getsignal(signal.SIGTERM)]

    def interrupted(self, *batch):
        if self.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return train_step(self, *batch)

    def noted(self, network):
        handlers.append(signal.getsignal(signal.SIGTERM))
        save(self, network)

    monkeypatch.setattr(Trainer, "save", noted)
    monkeypatch.setattr(Trainer, "train_step", interrupted)
    assert run(folder, tmp_path / "parts", "--steps", "6", "--save-every", "3") == 130
    assert state_of(tmp_path / "parts")["step"] == 4  # the step in which the signal came is kept
    assert handlers[-1] is not handlers[0]  # another signal does not end it before all is saved
    monkeypatch.setattr(Trainer, "train_step", train_step)
    assert run(folder, tmp_path / "parts", "--steps", "6", "--save-every", "3", "--resume") == 0
    whole, parts = (load_network(tmp_path / name / "weights.safetensors").state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_after_a_fault_of_the_program_no_process_is_left_that_its_end_would_wait_for(folder, tmp_path, monkeypatch):
    def fails(self, *batch):
        raise ValueError("a fault")

    monkeypatch.setattr(Trainer, "train_step", fails)
    with pytest.raises(ValueError, match="a fault") as error:
        run(folder, tmp_path / "run", "--steps", "6", "--workers", "1")
    assert error.tb is not None  # which keeps the loader, and so its processes, if nobody ends them
    for process in multiprocessing.active_children():
        process.join(PATIENCE_S)
    assert multiprocessing.active_children() == []


def test_a_run_goes_on_with_what_decides_its_windows_alone(folder):
    (row,) = [row for row in read_annotations(folder / "a.jsonl") if row["image"] == "none/0.jpg"]
    (picture,) = read_pictures([row], folder)
    changes = [{}, {"complete": False}, {"boxes_by_hand": False}, {"landmarks_by_hand": True}, {"false_score": 0.9}]
    found = [digests(train=[dataclasses.replace(picture, **change)])["train pictures"] for change in changes]
    assert len(set(found)) == len(changes)


@pytest.mark.long
@pytest.mark.thorough
def test_two_processes_update_their_weights_as_one(folder, tmp_path):
    flags = [*files_of(folder), "--out", str(tmp_path / "two"), *FLAGS, "--steps", "3", "--save-every", "3"]
    done = torchrun("detector", *flags)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("validating on 2") == done.stderr.count("step 3 ") == 1  # one of them speaks
    first, second = (torch.load(tmp_path / "two" / f"rank{rank}.pt") for rank in (0, 1))
    for name, weights in first.items():
        torch.testing.assert_close(second[name], weights, rtol=0, atol=0)  # though each had other windows
    torch.manual_seed(0)  # the default --seed
    start = dict(RetinaFaceNetwork().named_parameters())
    assert all(not torch.equal(weights, start[name]) for name, weights in first.items() if weights.ndim > 1)
