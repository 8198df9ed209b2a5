"""One training on several processes: torchrun --nproc-per-node=N train.py ..., or -m retinaface.training.__main__ ...

In:  what torchrun puts into the environment of each process: RANK, LOCAL_RANK and WORLD_SIZE. Without it, one process.
Out: `Distributed`: which process this is, of how many, and what they tell each other.

cuda talks over nccl, the CPU over gloo.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from support.cli import UserError


@dataclass(frozen=True)
class Distributed:
    """This process is number `rank` of `size`; every method is to be called by all of them at the same point."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Is this the process that writes and speaks?"""
        return self.rank == 0

    def mean(self, value: float) -> float:
        """The mean over the processes."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return total.item() / self.size

    def interleaved(self, part: np.ndarray) -> np.ndarray:
        """(N, ...) from the rows `rank`, `rank + size`, ... that each process has."""
        if self.size == 1:
            return part
        parts: list = [None] * self.size
        dist.all_gather_object(parts, part)
        whole = np.empty((sum(map(len, parts)), *part.shape[1:]), part.dtype)
        for rank, rows in enumerate(parts):
            whole[rank :: self.size] = rows
        return whole

    def parallel(self, network: nn.Module) -> nn.Module:
        """`network` as a module that leaves in it the mean over all processes of its gradients.

        On cuda its batch norms become such as see the batch of all processes; elsewhere torch has none, and each
        process normalises its own share.
        """
        if self.size == 1:
            return network
        if self.device.type != "cuda":
            return nn.parallel.DistributedDataParallel(network)
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return nn.parallel.DistributedDataParallel(network, device_ids=[self.device.index])

    def agree(self, network: nn.Module) -> None:
        """Every process takes the first one's parameters and buffers."""
        if self.size > 1:
            for tensor in network.state_dict().values():
                dist.broadcast(tensor, src=0)


@contextlib.contextmanager
def distributed_on(device: torch.device) -> Iterator[Distributed]:
    """The processes that torchrun started, joined until the `with` ends; without torchrun, this one alone.

    On cuda each takes the card of its LOCAL_RANK. Raises `UserError` on mps, over which processes cannot talk.
    """
    size = int(os.environ.get("WORLD_SIZE", 1))
    if size == 1:
        yield Distributed(device)
        return
    if device.type == "mps":
        raise UserError("several processes train on cuda or the CPU, not on mps; add --device cpu, or start one.")
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Distributed(device, dist.get_rank(), size)
        dist.barrier()  # torchrun ends the others when one leaves with an exit code other than 0
    finally:
        dist.destroy_process_group()
