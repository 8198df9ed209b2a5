"""A training as a script for torchrun, which also saves the weights of each process.

In:  "train" (with the network `PLAIN` of helpers/tiny_runs.py at hand) or "detector", then the flags of its command;
     STOP_IN_STEP in the environment: in this step of train.py, counted from 1, Ctrl-C comes to torchrun.
Out: a run, and rank0.pt, rank1.pt, ... in its folder.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS)]

import torch
from helpers.tiny_runs import PLAIN

import train
from models.spec import all_specs
from models.training.learner import Learner
from retinaface.training import __main__ as detector
from support import process

step, steps = Learner.step, 0


def interrupted(*args: Any, **options: Any) -> torch.Tensor:
    """`Learner.step`, which it replaces; rank 0 waits in STOP_IN_STEP until the signal of torchrun is there."""
    global steps
    steps += 1
    if steps == int(os.environ["STOP_IN_STEP"]) and os.environ["RANK"] == "0":
        os.kill(os.getppid(), signal.SIGINT)
        while not process._received:
            time.sleep(0.01)
    return step(*args, **options)


if __name__ == "__main__":
    all_specs()["plain"] = PLAIN
    module: Any = {"train": train, "detector": detector}[sys.argv.pop(1)]
    run = module.Trainer.run

    def run_and_save(trainer: Any) -> int:
        """As `Trainer.run`, which it replaces."""
        code = run(trainer)
        weights = dict(trainer.learner.network.named_parameters())
        torch.save(weights, trainer.folder.path / f"rank{trainer.distributed.rank}.pt")
        return code

    module.Trainer.run = run_and_save
    Learner.step = interrupted
    sys.exit(module.main())
