"""One process needs no others; two under torchrun end with the weights of one, and score the whole split."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.tiny_runs import FLAGS, PLAIN, make_learnable, plain_network, run, state_of, torchrun
from torch import nn

from models.spec import all_specs
from support import UserError
from support.training.distributed import Distributed, process_group

CPU = torch.device("cpu")


def test_one_process_needs_no_others(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    network, part = nn.Linear(1, 1), np.arange(3)
    with process_group(CPU) as distributed:
        assert distributed == Distributed(CPU, rank=0, world_size=1)
        assert distributed.is_main
        assert distributed.mean(0.5) == 0.5
        assert distributed.gather(part) is part
        assert distributed.parallel(network) is network
        distributed.broadcast(network)


def test_a_training_keeps_freed_memory(monkeypatch):
    kept = []
    monkeypatch.setattr("support.training.distributed.keep_freed_memory", lambda: kept.append(True))
    with process_group(CPU):
        assert kept == [True]


def test_processes_do_not_train_on_mps(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="not on mps"), process_group(torch.device("mps")):
        pass


def test_fewer_cards_than_processes_are_shared_and_said(monkeypatch, capsys):
    begun = []
    for name, value in {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    for name in ("init_process_group", "get_rank", "barrier", "destroy_process_group"):
        monkeypatch.setattr(f"torch.distributed.{name}", lambda *backend: begun.extend(backend) or 0)
    for cards, rank, sharing in ((4, 3, 1), (2, 1, 2), (3, 2, 2)):
        monkeypatch.setattr(torch.cuda, "device_count", lambda cards=cards: cards)
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        with process_group(torch.device("cuda")) as distributed:
            assert (distributed.device, distributed.sharing) == (torch.device("cuda", rank % cards), sharing)
    assert begun == ["cpu:gloo,cuda:nccl", "gloo", "gloo"]
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("LOCAL_RANK", "0")
    with process_group(torch.device("cuda")):
        assert "4 processes share 3 card(s): gradients are summed by way of the CPU" in capsys.readouterr().err


MIXED = ["--model", "plain", "--epochs", "2", "--lr", "0.003", "--optimiser", "adamw"]
MIXED += ["--balance", "0.5", "--mixup", "0.4", "--cutmix", "1", "--sam", "0.05"]
MIXED += ["--augment-on", "device", "--workers", "1", "--light", "0.3", "--noise", "5"]


@pytest.mark.long
@pytest.mark.thorough
def test_two_processes_that_are_stopped_and_resumed_end_with_the_weights_of_one(tmp_path, monkeypatch):
    folder = make_learnable(tmp_path / "data", every=4)
    two = ["--data-path", str(folder), "--out", str(tmp_path / "two"), *FLAGS, *MIXED]
    stopped = torchrun("train", *two, stop_in_step=11)  # in the second epoch
    assert stopped.stderr.count("stopped in epoch 2; everything is saved") == 1, stopped.stderr
    assert state_of(tmp_path / "two")["progress"][:2] == (1, 3)
    two.append("--resume")
    done = torchrun("train", *two)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("2 processes: 64 faces, validating on 24") == 1  # one of them speaks
    monkeypatch.setitem(all_specs(), "plain", PLAIN)
    assert run(folder, tmp_path / "one", *MIXED) == 0
    first, second = state_of(tmp_path / "one"), state_of(tmp_path / "two")
    start = plain_network(8).state_dict()
    for part in ("network", "ema"):
        for key, value in first[part].items():
            torch.testing.assert_close(second[part][key], value, rtol=1e-4, atol=1e-5)
    moved = max((first["network"][key] - start[key]).abs().max() for key in start)
    assert moved > 100 * 1e-5  # the network has learned something
    one, both = [pd.read_csv(tmp_path / name / "metrics.csv").drop(columns="faces_per_s") for name in ("one", "two")]
    assert one["n"].tolist() == [24, 24]  # every face of the split once
    assert (tmp_path / "two/best.onnx").exists(), done.stderr
    pd.testing.assert_frame_equal(one, both, rtol=1e-3, atol=1e-4)
