"""Does the loader keep the device busy? python -m evaluation.speed.loader --data-path DIR

In:  a data set's folder, a network, a batch size; how much memory the pictures may take (0: all stay on disk).
Out: on stdout, as JSON, for pictures augmented on the CPU and on the device (train.py's --augment-on): faces a second
     of training steps on the loader's batches; of the same steps on batches in memory; the first as a share of the
     second; of the loader alone. The same as a Markdown table on stderr. And the most memory that the process
     had before it changed pictures on the device, listing and torch included.

Steps are those of train.py (models/training/learner.py), preprocessing included. The two measurements take turns; each
turn begins with more steps than the loader has batches prefetched, which are not counted. Other programs change the
results.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import os
import time
from collections.abc import Callable, Generator, Iterable, Mapping

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as train.py: before numpy and torch are imported
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np
import torch

from data.augment import Augment
from data.datasets import load_for_training
from data.device.loader import DeviceLoader, upload
from data.loader import PREFETCH, Batch, EpochLoader
from data.pictures.store import training_storage
from evaluation.speed.machine import machine, versions
from models.preprocess import Preprocess
from models.spec import find_spec
from models.training.computing import synchronise
from models.training.learner import Learner
from models.training.settings import Settings as TrainingSettings
from models.training.settings import check_batches
from support import command, notify, pick_device, run_and_exit, setting, write_json
from support.memory import peak_memory
from support.training.distributed import Distributed

WARM_UP = PREFETCH + 2  # steps at the beginning of each turn


@dataclasses.dataclass
class Settings:
    """Flags of `python -m evaluation.speed.loader`."""

    data_path: str = setting("data/raw", "the data set's folder", metavar="DIR")
    dataset: str = setting("", "format of the data set; left out: recognised by its layout")
    model: str = setting("small_resnet18_w32", "network, a name from models/networks/")
    batch_size: int = setting(64, "faces a step", within=(1, math.inf))
    memory: float = setting(0.5, "share of the free memory that decoded pictures may take", within=(0, 1))
    steps: int = setting(12, "steps counted a turn", within=(1, math.inf))
    turns: int = setting(2, "turns of each", within=(1, math.inf))
    workers: int = setting(2, "threads and processes of the loader", within=(1, math.inf))
    threads: int = setting(0, "CPU threads of torch; 0: torch's default", within=(0, math.inf))
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")


def run(settings: Settings) -> int:
    """Measure, print."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    spec, device = find_spec(settings.model), pick_device(settings.device)
    storage = training_storage(settings.memory, side=max(spec.preprocess.size_hw))
    faces, _ = load_for_training(settings.data_path, name=settings.dataset, storage=storage)
    on_cpu = EpochLoader(faces, Augment(), settings.batch_size, threads=settings.workers)
    training = TrainingSettings(batch_size=settings.batch_size)
    check_batches(training, faces=len(faces), batches=len(on_cpu), world_size=1)
    on_device = DeviceLoader.of(on_cpu, device, memory=settings.memory)
    learner = Learner(spec.build(len(faces.class_names)), Distributed(device))
    report = {"model": settings.model, "batch_size": settings.batch_size, "device": str(device), "faces": len(faces)}
    timed = functools.partial(
        measure, learner=learner, preprocess=spec.preprocess, steps=settings.steps, turns=settings.turns
    )
    rates = {"cpu": timed(on_cpu)}
    peak = peak_memory()
    rates["device"] = timed(on_device)
    about = {"threads": torch.get_num_threads(), "machine": machine(), "versions": versions()}
    notify(table(rates))
    write_json(report | {"augment_on": rates, "peak_mb": peak and peak / 1e6} | about)
    return 0


def table(rates: Mapping[str, Mapping[str, float]]) -> str:
    """Rates by where pictures are changed, as Markdown."""
    rows = [
        f"| {where} | {r['loader_faces_per_s']:,.0f} | {r['memory_faces_per_s']:,.0f} | {100 * r['share']:.0f} % | "
        f"{r['loader_alone_faces_per_s']:,.0f} |"
        for where, r in rates.items()
    ]
    head = "| faces a second, pictures changed on | training | on batches in memory | share | the loader alone |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def measure(
    loader: EpochLoader,
    learner: Learner,
    preprocess: Preprocess,
    *,
    steps: int,
    turns: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Faces a second, as medians over the counted steps of all turns, and the loader's share. clock: gives seconds."""
    size, count = preprocess.size_hw[0], WARM_UP + steps
    ready = list(itertools.islice(endless(loader, size=size), count))
    times_s: dict[str, list[float]] = {"loader": [], "memory": []}
    for _ in range(turns):
        for name, batches in (("loader", endless(loader, size=size)), ("memory", ready)):
            times_s[name] += step_times_s(itertools.islice(batches, count), learner, preprocess, clock)[WARM_UP:]
    device, more = learner.distributed.device, itertools.islice(endless(loader, size=size), count)
    started = clock()
    for _ in more:
        pass
    synchronise(device)
    alone = count * loader.batch_size / (clock() - started)
    rates = {name: loader.batch_size / float(np.median(times)) for name, times in times_s.items()}
    return {
        "loader_faces_per_s": rates["loader"],
        "memory_faces_per_s": rates["memory"],
        "share": rates["loader"] / rates["memory"],
        "loader_alone_faces_per_s": alone,
    }


def step_times_s(
    batches: Iterable[Batch], learner: Learner, preprocess: Preprocess, clock: Callable[[], float]
) -> list[float]:
    """Seconds of the step on each batch, from asking for it until the device has done it."""
    device, times, last = learner.distributed.device, [], clock()
    for step, (crops, votes) in enumerate(batches):
        x = preprocess.of_tensor(upload(crops, device)).contiguous(memory_format=torch.channels_last)
        learner.step(x, upload(votes, device), lr=0.01, key=(step,))
        synchronise(device)
        now = clock()
        times.append(now - last)
        last = now
    return times


def endless(loader: EpochLoader, *, size: int) -> Generator[Batch]:
    """The batches of one epoch after the other."""
    for epoch in itertools.count():
        yield from loader.epoch(epoch, size=size)


main = command(Settings, run, prog="python -m evaluation.speed.loader", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
