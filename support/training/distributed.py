"""Data-parallel training in several processes: torchrun --nproc-per-node=N train.py ..., or -m retinaface.training ...

In:  what torchrun puts into the environment of each process: RANK, LOCAL_RANK and WORLD_SIZE. Without it, one process.
Out: `Distributed`: the rank of this process, the world size, and the collective operations of a training.

Gradients go through nccl on cuda; numbers, and all on the CPU, through gloo.
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

from support.cli import UserError, notify
from support.memory import keep_freed_memory


@dataclass(frozen=True)
class Distributed:
    """This process is number `rank` of `world_size`; all of them must call each method at the same point.

    sharing: how many of them have this device.
    """

    device: torch.device
    rank: int = 0
    world_size: int = 1
    sharing: int = 1

    @property
    def is_main(self) -> bool:
        """Does this process write the files and the messages? Rank 0 does."""
        return self.rank == 0

    def mean(self, value: float) -> float:
        """The mean of a number over all processes."""
        return self.means([value])[0]

    def means(self, values: list[float]) -> list[float]:
        """The mean of each number over all processes, which wait for each other, but not for a GPU."""
        if self.world_size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        return (total / self.world_size).tolist()

    def gather(self, part: np.ndarray) -> np.ndarray:
        """(N, ...) on every process, from the rows `rank`, `rank + world_size`, ... that each process has."""
        if self.world_size == 1:
            return part
        parts: list = [None] * self.world_size
        dist.all_gather_object(parts, part)
        whole = np.empty((sum(map(len, parts)), *part.shape[1:]), part.dtype)
        for rank, rows in enumerate(parts):
            whole[rank :: self.world_size] = rows
        return whole

    def parallel(self, network: nn.Module) -> nn.Module:
        """`network` wrapped so that its gradients are the mean over all processes.

        On cuda its batch norms become synchronised ones, over the batch of all processes. Elsewhere torch has none, and
        each process normalises its own part of the batch.
        """
        if self.world_size == 1:
            return network
        if self.device.type != "cuda":
            return nn.parallel.DistributedDataParallel(network)
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return nn.parallel.DistributedDataParallel(network, device_ids=[self.device.index])

    def broadcast(self, network: nn.Module) -> None:
        """Give every process the parameters and buffers of rank 0."""
        if self.world_size > 1:
            for tensor in network.state_dict().values():
                dist.broadcast(tensor, src=0)


@contextlib.contextmanager
def process_group(device: torch.device) -> Iterator[Distributed]:
    """The group of the processes that torchrun started, until the `with` ends; without torchrun, this one alone.

    On cuda each process takes the card of its LOCAL_RANK; where there are fewer cards than processes they share them,
    which is said. From then on freed memory is kept for the next step. Raises `UserError` on mps, for which torch has
    no backend.
    """
    keep_freed_memory()
    world_size = int(os.environ.get("WORLD_SIZE", 1))
    if world_size == 1:
        yield Distributed(device)
        return
    if device.type == "mps":
        raise UserError("several processes train on cuda or the CPU, not on mps; add --device cpu, or start one.")
    here, backend = int(os.environ.get("LOCAL_WORLD_SIZE", world_size)), "gloo"
    sharing = here
    if device.type == "cuda":
        cards, local_rank = torch.cuda.device_count(), int(os.environ["LOCAL_RANK"])
        device, sharing = torch.device("cuda", local_rank % cards), -(-here // cards)
        torch.cuda.set_device(device)
        if sharing == 1:
            backend = "cpu:gloo,cuda:nccl"  # nccl takes one process a card
        elif not local_rank:
            notify(
                f"{here} processes share {cards} card(s): gradients are summed by way of the CPU; "
                f"--nproc-per-node={cards} is faster"
            )
    dist.init_process_group(backend)
    try:
        yield Distributed(device, dist.get_rank(), world_size, sharing)
        dist.barrier()  # torchrun ends the others when one leaves with an exit code other than 0
    finally:
        dist.destroy_process_group()
