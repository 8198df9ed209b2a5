"""The measurement of the loader, by a clock that only the loader and the learner advance."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tiny_runs import make_learnable

from data.augment import Augment
from data.datasets import load_faces
from data.loader import EpochLoader
from data.pictures import store
from evaluation.speed import loader as loader_speed
from evaluation.speed.loader import endless, main, measure, table
from models.preprocess import Preprocess
from support import UserError
from support.training.distributed import Distributed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_learnable(tmp_path_factory.mktemp("ferplus"))


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class TimedLearner:
    """A step takes 20 ms."""

    distributed = Distributed(torch.device("cpu"))

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def step(self, x, target, *, lr, key):
        self.clock.now_s += 0.02


class TimedLoader:
    """A batch of 8 takes `batch_s`."""

    batch_size = 8

    def __init__(self, clock: Clock, batch_s: float) -> None:
        self.clock, self.batch_s = clock, batch_s

    def epoch(self, epoch, *, size):
        for _ in range(3):
            self.clock.now_s += self.batch_s
            yield np.zeros((8, size, size, 3), np.uint8), np.zeros((8, 2), np.float32)


@pytest.mark.parametrize(("batch_s", "share"), [(0.0, 1.0), (0.08, 0.2)])
def test_the_share_is_what_the_loader_leaves_of_the_rate(batch_s, share):
    clock = Clock()
    loader: Any = TimedLoader(clock, batch_s or 1e-9)
    learner: Any = TimedLearner(clock)
    report = measure(loader, learner, Preprocess((12, 12)), steps=4, turns=1, clock=clock)
    assert report["memory_faces_per_s"] == pytest.approx(8 / 0.02)
    assert report["loader_faces_per_s"] == pytest.approx(8 / (0.02 + batch_s), rel=1e-3)
    assert report["share"] == pytest.approx(share, rel=1e-3)
    assert report["loader_alone_faces_per_s"] == pytest.approx(8 / (batch_s or 1e-9), rel=1e-3)


def test_batches_go_on_after_an_epoch(folder):
    loader = EpochLoader(load_faces(folder, "train"), Augment(), 24)
    assert len(loader) == 2
    batches = list(itertools.islice(endless(loader, size=12), 5))
    assert len(batches) == 5
    assert not np.array_equal(batches[0][0], batches[2][0])


@pytest.mark.parametrize("memory", ["1", "0"])
def test_the_command_prints_json(folder, tmp_path, capsys, monkeypatch, memory):
    monkeypatch.setattr(loader_speed, "WARM_UP", 1)
    monkeypatch.setattr(store, "SHRUNK", tmp_path)
    flags = ["--model", "deep_emotion", "--batch-size", "8", "--steps", "1", "--turns", "1", "--device", "cpu"]
    assert main(["--data-path", str(folder), *flags, "--threads", "1", "--memory", memory]) == 0
    shown = capsys.readouterr()
    assert ("decoded as they are used" in shown.err) == (memory == "0")
    report = json.loads(shown.out)
    assert (report["threads"], report["batch_size"], report["device"], report["faces"]) == (1, 8, "cpu", 64)
    assert report["peak_mb"] is None or 50 < report["peak_mb"] < 1e5
    assert list(report["augment_on"]) == ["cpu", "device"]
    for rates in report["augment_on"].values():
        assert rates["share"] == pytest.approx(rates["loader_faces_per_s"] / rates["memory_faces_per_s"])


def test_a_batch_that_the_faces_do_not_fill_is_refused(folder):
    with pytest.raises(UserError, match="64 faces make no batch of 65; lower --batch-size"):
        main(["--data-path", str(folder), "--model", "deep_emotion", "--batch-size", "65", "--device", "cpu"])


def test_the_table_has_a_row_for_each_place():
    rates = {"loader_faces_per_s": 1234.4, "memory_faces_per_s": 2468.8, "share": 0.5, "loader_alone_faces_per_s": 9e4}
    lines = table({"cpu": rates, "device": rates}).split("\n")
    assert lines[2:] == [f"| {where} | 1,234 | 2,469 | 50 % | 90,000 |" for where in ("cpu", "device")]
