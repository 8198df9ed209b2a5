"""train.py with the pictures changed on the device, here a CPU: it learns, resumes to the bit, says what it does."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal

import numpy as np
import pytest
import torch
from helpers.tape_card import DeviceOnly
from helpers.tiny_runs import PLAIN, TINY, make_learnable, run, same_weights, state_of

from data.augment import Augment, Keys
from data.device.drawing import pack
from data.device.render import render
from data.mixing import mix
from models.checkpoint import load_checkpoint
from models.spec import all_specs
from models.training.learner import Learner
from support import UserError
from support.training.distributed import Distributed

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


@pytest.mark.thorough
def test_it_learns_and_a_stopped_run_ends_with_the_same_weights(folder, tmp_path, monkeypatch, capsys):
    flags = [*DEVICE, *MIXED[4:]]
    assert run(folder, tmp_path / "whole", *flags) == 0
    assert "pictures are augmented on cpu, where they rest" in capsys.readouterr().err
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
    assert "pictures are augmented on cpu, sent batch by batch" in capsys.readouterr().err
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


@pytest.mark.parametrize("sam", [0.0, 0.05])
def test_no_step_waits_for_a_number_or_reads_memory_of_the_host(monkeypatch, sam):
    """On a device without numbers; what is uploaded lies there already."""
    monkeypatch.setattr(torch, "autocast", lambda *how, **more: contextlib.nullcontext())  # knows no such device
    meta, spec, count = torch.device("meta"), all_specs()["tiny_cnn"], 16
    keys = Keys(0, 0, np.arange(count), np.zeros(count, int))
    changes = pack(keys.changes(Augment(light=0.3, noise=5), size=48), size=48)
    assert len(changes.coarse)  # one loses resolution at least
    lying = {id(array): torch.as_tensor(array).to(meta) for array in changes}
    with meta:
        pixels = torch.empty((count * 48 * 48, 3), dtype=torch.uint8)
        begins, sizes_hw = torch.empty(count, dtype=torch.int64), torch.empty((count, 2), dtype=torch.int64)
        network, votes = spec.build(8), torch.empty((count, 8))
    learner = Learner(network, Distributed(meta), mixed=False)
    learner.scaler = torch.amp.GradScaler("cpu", enabled=False)
    spec.preprocess.of_tensor(pixels.view(count, 48, 48, 3))  # constants are copied the first time
    for number in range(2):
        with DeviceOnly(host=True):
            crops = render(pixels, begins, sizes_hw, changes, size=48, upload=lambda array: lying[id(array)])
            x, target = mix(
                spec.preprocess.of_tensor(crops), votes, key=(0, 0, number), mixup_alpha=0.4, cutmix_alpha=1.0
            )
            learner.step(x, target, lr=0.1, key=(number,), sam=sam)
    assert int(learner.ema.n_averaged) == 2


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
    spec = dataclasses.replace(PLAIN, build=Small, explain_layer="network.2")
    monkeypatch.setitem(all_specs(), "small", spec)
    flags = ["--model", "small", "--epochs", "1"]
    with pytest.raises(UserError, match="--batch-size 2 fits, or the same batch with --accumulate 4") as error:
        run(folder, tmp_path / "run", *flags)
    assert error.value.exit_code == 1
    assert run(folder, tmp_path / "two", *flags, "--batch-size", "2") == 0
    assert run(folder, tmp_path / "parts", *flags, "--accumulate", "4") == 0
    assert np.isfinite(state_of(tmp_path / "parts")["history"][-1]["train_loss"])
