"""The measurement of the loader: it measures what it says."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch
from helpers.tiny_runs import make_learnable

from data.augment import Augment
from data.datasets import load_faces
from data.loader import Batches
from evaluation.speed import loader as loader_speed
from evaluation.speed.loader import Settings, endless, main, measured, take
from models.preprocess import Preprocess
from support.training.distributed import Distributed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_learnable(tmp_path_factory.mktemp("ferplus"))


class Sleeper:
    """A learner whose step takes a known time."""

    ranks = Distributed(torch.device("cpu"))

    def step(self, x, target, *, lr, key):
        time.sleep(0.02)


class SlowAugment(Augment):
    """A picture takes a known time."""

    def __call__(self, image, rng, *, size):
        time.sleep(0.02)
        return np.zeros((size, size, 3), np.uint8)


@pytest.mark.parametrize(("augment", "slow"), [(Augment(), False), (SlowAugment(), True)])
def test_a_loader_that_is_too_slow_is_told(folder, augment, slow):
    batches = Batches(load_faces(folder, "train"), augment, 8)
    found = measured(batches, Sleeper(), Preprocess((12, 12)), Settings(steps=4, turns=1))
    assert found["memory_faces_per_s"] <= 8 / 0.02
    assert (found["share"] < 0.5) == slow
    if slow:  # two threads make a picture in 10 ms; the steps would take one in 2.5
        assert found["loader_alone_faces_per_s"] <= 101
        assert found["share"] > 0.1


def test_batches_go_on_after_an_epoch(folder):
    batches = Batches(load_faces(folder, "train"), Augment(), 24)
    assert len(batches) == 2
    found = take(endless(batches, size=12), 5)
    assert len(found) == 5
    assert not np.array_equal(found[0][0], found[2][0])


def test_the_command_prints_json(folder, capsys, monkeypatch):
    monkeypatch.setattr(loader_speed, "WARM_UP", 1)
    flags = ["--model", "deep_emotion", "--batch-size", "8", "--steps", "1", "--turns", "1", "--device", "cpu"]
    assert main(["--data-path", str(folder), *flags, "--threads", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["threads"], report["batch_size"], report["device"]) == (1, 8, "cpu")
    assert report["share"] == pytest.approx(report["loader_faces_per_s"] / report["memory_faces_per_s"])
