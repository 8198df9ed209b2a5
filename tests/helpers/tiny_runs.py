"""Trainings that take a second: a data set that can be learned, flags that keep a run small, a small network.

In:  empty folders.
Out: a data set in FER+'s layout; runs of train.py on it, without the figure and the export at their end, which take
     longer than the run; scripts in two processes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S
from helpers.tiny_sets import write_lines, write_picture
from torch import nn

import train
from models.preprocess import Preprocess
from models.spec import ModelSpec
from support.training.run_log import RunLog
from support.training.run_state import RunFolder

FLAGS = ["--device", "cpu", "--threads", "1", "--batch-size", "8", "--epochs", "4", "--lr", "0.05", "--ema", "0.1"]
TINY = ["--model", "deep_emotion"]  # the network that costs least; it has batch norm and dropout
COUNTS = {"FER2013Train": 64, "FER2013Valid": 24, "FER2013Test": 8}


def make_learnable(folder: Path, *, every: int = 2) -> Path:
    """Noise, lighter above for the neutral; in every second picture (or `every`) lighter below, for the sad."""
    rng = np.random.default_rng(0)
    for part, count in COUNTS.items():
        lines = []
        for number in range(count):
            image = rng.integers(0, 90, (48, 48), dtype=np.uint8)
            sad = number % every == every - 1
            image[24 * sad : 24 * sad + 24] += 120
            name = f"{part}{number}.png"
            write_picture(folder / part / name, cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
            votes = [0] * 10
            votes[3 * sad], votes[1] = 8, 2  # and a little happiness
            lines.append(f'{name},"(0, 0, 48, 48)",{",".join(map(str, votes))}')
        write_lines(folder / part / "label.csv", lines)
    return folder


def plain_network(classes: int) -> nn.Module:
    """No batch norm and no dropout: several processes compute with it what one does."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(392, classes)
    )


PLAIN = ModelSpec(plain_network, Preprocess((48, 48), channels=1), explain_layer="2", cells=(5, 6), fixed_size=True)


def run(folder: Path, out: Path, *flags: str, export: bool = False) -> int:
    """train.py with small settings, which `flags` override; `export`: with the figure and the .onnx file at the end."""
    return run_main(train.main, "--data-path", str(folder), "--out", str(out), *FLAGS, *flags, export=export)


def run_main(main: Callable[[list[str]], int], *argv: str, export: bool) -> int:
    """`main` with these arguments; `export`: with the figure and the .onnx file at the end."""
    with contextlib.ExitStack() as patches:
        for part, name in () if export else ((RunFolder, "export"), (RunLog, "_save_figure")):
            patches.enter_context(mock.patch.object(part, name))
        return main([*argv])


def torchrun(*argv: str, stop_in_step: int = 0) -> subprocess.CompletedProcess:
    """helpers/distributed_run.py in two processes, to its end, or until Ctrl-C comes in that step, counted from 1."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["tests/helpers/distributed_run.py", *argv]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "STOP_IN_STEP": str(stop_in_step)}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S, env=environment
    )


def state_of(out: Path) -> dict:
    """What the run saved last."""
    return torch.load(out / "last.pt", weights_only=True)


def same_weights(*outs: Path) -> bool:
    """Do two runs end with exactly the same weights and moving averages?"""
    first, second = map(state_of, outs)
    return all(torch.equal(first[part][key], second[part][key]) for part in ("network", "ema") for key in first[part])
