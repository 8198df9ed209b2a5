"""Several processes: one alone needs nothing; two under torchrun end where one does, and score the whole split."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.paths import ROOT
from helpers.tiny_runs import FLAGS, make_learnable, run, state_of, torchrun
from torch import nn

from models.preprocess import Preprocess
from models.spec import ModelSpec, all_specs
from models.training.run_log import RunLog
from support import UserError
from support.training.distributed import Distributed, distributed_on

CPU = torch.device("cpu")


def test_one_process_needs_no_others(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    network, part = nn.Linear(1, 1), np.arange(3)
    with distributed_on(CPU) as ranks:
        assert ranks == Distributed(CPU, 0, 1)
        assert ranks.first
        assert ranks.mean(0.5) == 0.5
        assert ranks.gather(part) is part
        assert ranks.parallel(network) is network
        ranks.agree(network)


def test_processes_do_not_train_on_mps(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="not on mps"), distributed_on(torch.device("mps")):
        pass


def plain_network(classes: int) -> nn.Module:
    """No batch norm and no dropout: what several processes compute is then what one does."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(392, classes)
    )


PLAIN = ModelSpec(plain_network, Preprocess((48, 48), channels=1), explain_layer="2", fixed_size=True)
MIXED = ["--model", "plain", "--epochs", "2", "--lr", "0.003", "--optimiser", "adamw"]
MIXED += ["--balance", "0.5", "--mixup", "0.4", "--cutmix", "1", "--sam", "0.05"]
SCRIPT = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from test_support_ranks import PLAIN, all_specs
import train
all_specs()["plain"] = PLAIN
sys.exit(train.main(sys.argv[1:]))
"""


def test_two_processes_end_where_one_does(tmp_path, monkeypatch):
    folder = make_learnable(tmp_path / "data", every=4)
    (tmp_path / "plain.py").write_text(SCRIPT.format(root=str(ROOT), tests=str(ROOT / "tests")))
    two = ["--data-path", str(folder), "--out", str(tmp_path / "two"), *FLAGS, *MIXED]
    done = torchrun(tmp_path / "plain.py", *two)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("2 processes: 64 faces, validating on 24") == 1  # one of them speaks
    monkeypatch.setattr(RunLog, "_draw", lambda self, history: None)
    monkeypatch.setitem(all_specs(), "plain", PLAIN)
    assert run(folder, tmp_path / "one", *MIXED) == 0
    first, second = state_of(tmp_path / "one"), state_of(tmp_path / "two")
    start = plain_network(8).state_dict()
    for part in ("network", "ema"):
        for key, value in first[part].items():
            torch.testing.assert_close(second[part][key], value, rtol=1e-4, atol=1e-5)
    moved = max((first["network"][key] - start[key]).abs().max() for key in start)
    assert moved > 100 * 1e-5  # what is compared has learned something
    tables = [pd.read_csv(tmp_path / name / "metrics.csv").drop(columns="faces_per_s") for name in ("one", "two")]
    assert tables[0]["n"].tolist() == [24, 24]  # the whole split, counted once
    pd.testing.assert_frame_equal(*tables, rtol=1e-3, atol=1e-4)
