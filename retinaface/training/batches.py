"""The batches of the detector's training: scenes, and what every anchor is to predict on them.

In:  a `SceneMaker`, and the settings of a run that decide a batch.
Out: a torch data set whose item `i` is the batch of one step.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from retinaface.anchors import anchors_for
from retinaface.training.loss import match_anchors
from retinaface.training.scenes import SceneMaker


@dataclass(frozen=True, eq=False)
class SceneBatches(Dataset[tuple[Tensor, ...]]):
    """Item i is the batch of step `first + i`, always the same for a seed.

    A batch: images (N, S, S, 3) uint8 RGB, labels (N, A) int64, boxes (N, A, 4) float32, landmarks (N, A, 10) float32.

    steps: of the whole run. pixels: about so many a step, which decides N. sizes: one of them at random is S.
    Of the scenes of a step this process makes number `rank`, `rank + world_size`, ...; all make the same number.
    """

    maker: SceneMaker
    steps: int
    pixels: int
    sizes: Sequence[int]
    seed: int
    first: int = 0
    rank: int = 0
    world_size: int = 1

    def __len__(self) -> int:
        """Steps that are still to do."""
        return self.steps - self.first

    def __getitem__(self, item: int) -> tuple[Tensor, ...]:
        """The batch of step `first + item`."""
        step = self.first + item
        size = int(np.random.default_rng((self.seed, step)).choice(self.sizes))
        count = self.world_size * max(1, round(self.pixels / size**2 / self.world_size))
        mine = range(self.rank, count, self.world_size)
        scenes = [self.maker(np.random.default_rng((self.seed, step, i)), size) for i in mine]
        anchors = anchors_for((size, size))
        targets = [match_anchors(anchors, scene.boxes, scene.landmarks, scene.ignore) for scene in scenes]
        columns: list[Sequence[np.ndarray]] = [[scene.image for scene in scenes]]
        columns += [[t.labels for t in targets], [t.boxes for t in targets], [t.landmarks for t in targets]]
        return tuple(torch.from_numpy(np.stack(column)) for column in columns)


def ignore_ctrl_c(worker: int) -> None:
    """Let a worker process ignore Ctrl-C, which a terminal also sends to it: the trainer decides when to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
