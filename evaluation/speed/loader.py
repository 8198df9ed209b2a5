"""Does the loader keep the device busy? python -m evaluation.speed.loader --data-path DIR

In:  a data set's folder, a network, a batch size.
Out: on stdout, as JSON: faces a second of training steps that the loader feeds; of the same steps on batches that lie
     in memory ready-made; the first as a share of the second; and what the loader makes on its own.

Steps are those of train.py (`models/training/learner.py`), preprocessing included. The two take turns; each turn begins with
more steps than the loader has batches in stock, which are not counted. Close what else uses the processor.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import time
from collections.abc import Iterable, Iterator

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as train.py has its threads wait
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np
import torch

from data.augment import Augment
from data.datasets import load_faces
from data.loader import AHEAD, Batches
from evaluation.speed.machine import machine, versions
from models.spec import find_spec
from models.training.learner import Learner
from support import command, pick_device, run_and_exit, setting, write_json
from support.training.distributed import Distributed

WARM_UP = AHEAD + 2  # steps at the beginning of each turn

Feed = Iterable[tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass
class Settings:
    """Flags of `python -m evaluation.speed.loader`."""

    data_path: str = setting("data/raw", "the data set's folder", metavar="DIR")
    dataset: str = setting("", "format of the data set; recognised by its layout where left out")
    model: str = setting("small_resnet18_w32", "network, a name from models/networks/")
    batch_size: int = setting(64, "faces a step", within=(1, math.inf))
    steps: int = setting(12, "steps counted a turn", within=(1, math.inf))
    turns: int = setting(2, "turns of each", within=(1, math.inf))
    threads: int = setting(0, "CPU threads of torch; 0: as many as torch likes", within=(0, math.inf))
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Parse flags, measure, print."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    spec, device = find_spec(settings.model), pick_device(settings.device)
    faces = load_faces(settings.data_path, "train", name=settings.dataset)
    batches = Batches(faces, Augment(), settings.batch_size)
    learner = Learner(spec.build(len(faces.class_names)), Distributed(device))
    report = {"model": settings.model, "batch_size": settings.batch_size, "device": str(device)}
    report |= {"threads": torch.get_num_threads()} | measured(batches, learner, spec.preprocess, settings)
    write_json(report | {"machine": machine(), "versions": versions()})
    return 0


def measured(batches: Batches, learner: Learner, preprocess, settings: Settings) -> dict[str, float]:
    """Faces a second, as medians over the counted steps of all turns, and the loader's share of what memory gives."""
    size, count = preprocess.size_hw[0], WARM_UP + settings.steps
    ready = take(endless(batches, size=size), count)
    times_s: dict[str, list[float]] = {"loader": [], "memory": []}
    for _ in range(settings.turns):
        for name, feed in (("loader", endless(batches, size=size)), ("memory", ready)):
            times_s[name] += step_times_s(feed, learner, preprocess, count)[WARM_UP:]
    rates = {f"{name}_faces_per_s": batches.batch_size / float(np.median(times)) for name, times in times_s.items()}
    feed, started = endless(batches, size=size), time.perf_counter()
    take(feed, count)
    alone = count * batches.batch_size / (time.perf_counter() - started)
    share = rates["loader_faces_per_s"] / rates["memory_faces_per_s"]
    return rates | {"share": share, "loader_alone_faces_per_s": alone}


def step_times_s(feed: Feed, learner: Learner, preprocess, count: int) -> list[float]:
    """Seconds of each of `count` steps, from asking the feed for a batch until the loss is there."""
    times, last = [], time.perf_counter()
    device = learner.ranks.device
    for step, (crops, votes) in enumerate(feed):
        x = preprocess(crops, device=device).contiguous(memory_format=torch.channels_last)
        learner.step(x, torch.from_numpy(votes).to(device), lr=0.01, key=(step,))
        now = time.perf_counter()
        times.append(now - last)
        last = now
        if len(times) == count:
            break
    return times


def endless(batches: Batches, *, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Epoch after epoch."""
    epoch = 0
    while True:
        yield from batches.epoch(epoch, size=size)
        epoch += 1


def take(feed: Feed, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The first `count` batches."""
    return list(itertools.islice(feed, count))


main = command(Settings, run, prog="python -m evaluation.speed.loader", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
