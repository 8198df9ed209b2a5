"""python -m retinaface.training, as a script for torchrun, that also saves the weights of each process.

In:  the flags of `python -m retinaface.training`.
Out: a run, and rank0.pt, rank1.pt, ... in its folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from retinaface.training.__main__ import main
from retinaface.training.trainer import Trainer

train = Trainer.run


def train_and_save(trainer: Trainer) -> int:
    """As `Trainer.run`, which it replaces."""
    code = train(trainer)
    weights = dict(trainer.learner.network.named_parameters())
    torch.save(weights, trainer.folder.path / f"rank{trainer.distributed.rank}.pt")
    return code


if __name__ == "__main__":
    setattr(Trainer, "run", train_and_save)  # noqa: B010  # an assignment to a method has a wrong type
    sys.exit(main())
