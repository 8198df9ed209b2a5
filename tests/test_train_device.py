"""train.py with the pictures changed on the device, here a CPU: it learns, resumes to the bit, says what it does."""

from __future__ import annotations

import dataclasses
import os
import signal

import numpy as np
import pytest
import torch
from helpers.tiny_runs import PLAIN, TINY, make_learnable, run, same_weights, state_of

from models.checkpoint import load_checkpoint
from models.spec import all_specs
from models.training.learner import Learner
from support import UserError

DEVICE = [*TINY, "--augment-on", "device", "--workers", "1"]
MIXED = ["--mixup", "0.4", "--cutmix", "1", "--light", "0.3", "--noise", "5"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_learnable(tmp_path_factory.mktemp("ferplus"))


def batches_of(folder, out, monkeypatch, *flags: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The (x, target) of each step of an epoch."""
    seen = []

    def step(self, x, target, **options):
        seen.append((x, target))
        return torch.tensor(1.0)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", step)
        assert run(folder, out, *TINY, "--epochs", "1", *flags) == 0
    return seen


def test_the_network_sees_what_it_sees_of_pictures_changed_on_the_cpu(folder, tmp_path, monkeypatch):
    pairs = [
        batches_of(folder, tmp_path / where, monkeypatch, *MIXED, "--augment-on", where) for where in ("cpu", "device")
    ]
    for (x, target), (same_x, same_target) in zip(*pairs, strict=True):
        assert torch.equal(target, same_target)  # votes, mixed in the same shares
        assert (target.sum(dim=1) - 1).abs().max() < 1e-5
        assert (x - same_x).abs().max() < 0.15  # of pictures whose deviation is 1
        assert (x - same_x).abs().mean() < 0.01


def test_it_learns_and_a_stopped_run_ends_with_the_same_weights(folder, tmp_path, monkeypatch, capsys):
    flags = [*DEVICE, *MIXED[4:]]
    assert run(folder, tmp_path / "whole", *flags) == 0
    assert "pictures are changed on cpu, where they rest" in capsys.readouterr().err
    scores = load_checkpoint(tmp_path / "whole/best.safetensors").scores["validation"]
    assert scores["accuracy"] > 0.7  # guessing gives 0.5
    steps, step = [], Learner.step

    def interrupted(self, *batch, **options):
        steps.append(None)
        if len(steps) == 11:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *batch, **options)

    monkeypatch.setattr(Learner, "step", interrupted)
    monkeypatch.setattr("data.device.loader.free_memory_on", lambda device: 0)  # and streamed
    assert run(folder, tmp_path / "parts", *flags) == 130
    assert "pictures are changed on cpu, sent batch by batch" in capsys.readouterr().err
    monkeypatch.setattr(Learner, "step", step)
    assert run(folder, tmp_path / "parts", *flags, "--resume") == 0
    assert "as when the run began" in capsys.readouterr().err
    assert same_weights(tmp_path / "whole", tmp_path / "parts")


def test_a_resumed_run_does_not_change_where_pictures_are_changed(folder, tmp_path):
    flags = [*TINY, "--epochs", "1"]
    assert run(folder, tmp_path / "run", *flags) == 0
    assert state_of(tmp_path / "run")["computing"]["augment_on"] == "cpu"
    with pytest.raises(UserError, match="started with augment_on 'auto' and not 'device'"):
        run(folder, tmp_path / "run", *flags, "--augment-on", "device", "--resume")


class Small(torch.nn.Module):
    """Stands for a card that holds three faces."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.network = PLAIN.build(classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and len(x) > 3:
            raise RuntimeError("MPS backend out of memory (MPS allocated: 8.89 GB)")  # no error of its own
        return self.network(x)


def test_out_of_memory_is_a_sentence_and_its_advice_holds(folder, tmp_path, monkeypatch):
    spec = dataclasses.replace(PLAIN, build=Small)
    monkeypatch.setitem(all_specs(), "small", spec)
    flags = ["--model", "small", "--epochs", "1"]
    with pytest.raises(UserError, match="--batch-size 2 fits, or the same batch with --accumulate 4") as error:
        run(folder, tmp_path / "run", *flags)
    assert error.value.exit_code == 1
    assert run(folder, tmp_path / "two", *flags, "--batch-size", "2") == 0
    assert run(folder, tmp_path / "parts", *flags, "--accumulate", "4") == 0
    assert np.isfinite(state_of(tmp_path / "parts")["history"][-1]["train_loss"])
