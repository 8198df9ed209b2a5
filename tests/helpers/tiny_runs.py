"""Trainings that take a second: a data set that can be learned, and the flags that keep a run small.

In:  empty folders.
Out: a data set in FER+'s layout; runs of train.py on it; a script in two processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from helpers.tiny_sets import write_lines, write_picture

import train

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


def run(folder: Path, out: Path, *flags: str) -> int:
    """train.py with small settings; what `flags` say wins."""
    return train.main(["--data-path", str(folder), "--out", str(out), *FLAGS, *flags])


def torchrun(script: Path, *argv: str) -> subprocess.CompletedProcess:
    """`script` in two processes, to its end."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), *argv]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)


def state_of(out: Path) -> dict:
    """What the run saved last."""
    return torch.load(out / "last.pt", weights_only=True)


def same_weights(*outs: Path) -> bool:
    """Do two runs end with the same weights and the same running mean, bit for bit?"""
    first, second = map(state_of, outs)
    return all(torch.equal(first[part][key], second[part][key]) for part in ("network", "ema") for key in first[part])
