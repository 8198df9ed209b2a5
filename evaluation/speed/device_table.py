"""What a device is worth, in five minutes: python -m evaluation.speed.device_table --device cuda

In:  synthetic videos and random pictures, made in memory.
Out: on stdout, a table in Markdown: the live loop before 1, 5 and 20 faces, and what sets its limit; the parts of one
     frame; a file nobody watches; train.py's steps, with its choice of number format and memory layout, on pictures
     that rest on the device: changed there, as with --augment-on device, and as they are.

A figure is taken when its result is on the host, after a warm-up; that of the loop stands beside it. For a data set's
own pictures, decoded, too: `python -m evaluation.speed.loader`. Other programs change the results.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import itertools
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as live.py: before numpy and torch are imported
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np
import torch

from data.augment import Augment
from data.device.loader import DeviceLoader
from data.face_set import FaceSet
from data.loader import Batch, EpochLoader
from evaluation.speed.benchmark import engine_of, measure_scene
from evaluation.speed.loader import endless
from evaluation.speed.machine import machine, not_idle, versions
from evaluation.speed.report import origin
from evaluation.speed.synthetic_video import parse_size
from models.preprocess import Preprocess
from models.spec import find_spec
from models.training.computing import choose, synchronise
from models.training.learner import Learner
from models.training.settings import Settings as TrainingSettings
from pipeline.run import EmotionPipeline
from support import command, notify, pick_device, run_and_exit, setting
from support.columns.one_hot import one_hot
from support.onnx.session import available_threads
from support.training.distributed import Distributed

CLASSES = 8
ANALYSIS, DRAWING = ("grab", "detect", "track", "crop", "classify", "explain"), ("draw", "show")  # a thread each
SHOWN = ("detect", "crop", "classify", "explain", "draw")
WARM_UP, TURN = 3, 10  # steps that do not count; the most steps from one look at the clock to the next
PICTURE, EPOCH = 64, 16  # pixels a side of the pictures that are trained on; steps an epoch


@dataclasses.dataclass
class Settings:
    """Flags of `python -m evaluation.speed.device_table`."""

    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    engine: str = setting("auto", "what runs the networks", choices=["auto", "onnx", "torch"])
    faces: list[int] = setting([1, 5, 20], "how many faces a frame shows", metavar="N", within=(0, 1000))
    size: str = setting("640x480", "size of the frames", metavar="WxH")
    models: list[str] = setting(
        ["small_resnet18_w64", "small_resnet18_w32", "resnet34"], "networks that are trained", metavar="NAME"
    )
    batch_size: int = setting(128, "faces a training step", within=(1, math.inf))
    seconds: float = setting(5.0, "how long each measurement takes", within=(0.01, math.inf))


def run(settings: Settings) -> int:
    """Measure, print."""
    device, about = pick_device(settings.device), machine()
    if warning := not_idle(about):
        notify(warning)
    pipeline = EmotionPipeline.from_files(
        device=device, engine=settings.engine, threads=available_threads(), max_faces=max([1, *settings.faces])
    )
    report: dict = {
        "machine": about,
        "versions": versions(),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "scenes": {},
        "training": {},
    }
    with contextlib.closing(pipeline):
        pipeline.warm_up([parse_size(settings.size)])
        for faces in settings.faces:
            notify(f"{settings.size} with {faces} face{'s' * (faces != 1)}")
            report["scenes"][faces] = measure_scene(pipeline, settings.size, faces, settings.seconds)
    card = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    report["engine"] = engine_of(pipeline) + card  # known by now, after the warm-up
    for name in settings.models:
        notify(f"training {name}")
        report["training"][name] = training_rates(
            name, device, batch_size=settings.batch_size, seconds=settings.seconds
        )
    print(*table(report, settings), sep="\n")
    return 0


def training_rates(
    name: str,
    device: torch.device,
    *,
    batch_size: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict:
    """Faces a second of train.py's steps with the network `name`, `changed` and `at_rest`, and its `computing`."""
    torch.backends.cudnn.deterministic = True  # as train.py
    spec, distributed = find_spec(name), Distributed(device)
    learner = Learner(spec.build(CLASSES), distributed)
    shape = (batch_size, spec.preprocess.channels, *spec.preprocess.size_hw)
    how, _ = choose(TrainingSettings(batch_size=batch_size), learner.network, shape, distributed, steps=0)
    learner.compute_as(how)
    loader = DeviceLoader.of(EpochLoader(random_faces(EPOCH * batch_size), Augment(), batch_size), device, memory=0.5)
    size = spec.preprocess.size_hw[0]
    timed = functools.partial(
        rate_of, learner=learner, preprocess=spec.preprocess, layout=how.memory_format, seconds=seconds, clock=clock
    )
    with contextlib.closing(endless(loader, size=size)) as changed:
        rates = {"changed": timed(changed), "at_rest": timed(itertools.repeat(next(changed)))}
    return {"computing": str(how), **rates}


def random_faces(count: int) -> FaceSet:
    """`count` pictures of noise, with labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(CLASSES, size=count)
    images = rng.integers(0, 256, (count, PICTURE, PICTURE, 3), dtype=np.uint8)
    return FaceSet(images, one_hot(labels, CLASSES), labels, [""] * count, tuple(map(str, range(CLASSES))))


def rate_of(
    batches: Iterator[Batch],
    *,
    learner: Learner,
    preprocess: Preprocess,
    layout: torch.memory_format,
    seconds: float,
    clock: Callable[[], float],
) -> float:
    """Faces a second of steps on `batches`, of which there are enough, for about `seconds` after a warm-up."""
    faces = 0

    def train(steps: int) -> float:
        """So many steps; the time when the device has finished."""
        nonlocal faces
        for number, (crops, votes) in enumerate(itertools.islice(batches, steps)):
            x = preprocess.of_tensor(crops).contiguous(memory_format=layout)
            learner.step(x, votes, lr=0.01, key=(number,))
            faces += len(crops)
        synchronise(learner.distributed.device)
        return clock()

    began_s, warm = clock(), 0
    while warm < WARM_UP and (started_s := train(1)) - began_s < seconds:  # a slow device's first step says enough
        warm += 1
    faces, turn, now_s = 0, 1, started_s
    while now_s - started_s < seconds:
        now_s = train(turn)
        turn = min(2 * turn, TURN)
    return faces / (now_s - started_s)


def limit_of(scene: Mapping) -> str:
    """What sets the limit of the live loop, whose two threads and source work at the same time, with its ms a frame."""
    ms = {
        name: sum(scene["stages_ms"][stage]["median"] for stage in stages)
        for name, stages in (("analysis", ANALYSIS), ("drawing", DRAWING))
    }
    ms["source"] = 1000 / scene["live"]["source_fps"]
    slowest = max(ms, key=lambda name: ms[name])
    return f"{slowest}, {ms[slowest]:.1f} ms"


def median_of(scene: Mapping, *, stage: str) -> str:
    """The median of a stage in milliseconds."""
    return f"{scene['stages_ms'][stage]['median']:.2f}"


def table(report: Mapping, settings: Settings) -> Iterator[str]:
    """The report as a table in Markdown, under a line that says on what it was measured."""
    scenes, busy = report["scenes"], not_idle(report["machine"])
    yield f"{origin(report)}; frames of {settings.size}, training batches of {settings.batch_size}"
    if busy:
        yield busy
    yield ""
    yield "| | " + " | ".join(f"{faces} face{'s' * (faces != 1)}" for faces in scenes) + " |"
    yield "|---|" + "---|" * len(scenes)
    rows: dict[str, Callable[[Mapping], str]] = {
        "live loop, frames a second": lambda scene: f"{scene['live']['fps']:.0f}",
        "in its warm-up; seconds of that": lambda scene: (
            f"{scene['live']['warm_up_fps']:.0f}; {scene['live']['warm_up_s']:.1f}"
        ),
        "limit of the loop": limit_of,
        "lag, 95th percentile": lambda scene: (
            f"{scene['lag']['p95_ms']:.0f} ms, {scene['lag']['p95_frames']:.1f} frames"
        ),
    }
    rows |= {f"{stage} one frame, ms": functools.partial(median_of, stage=stage) for stage in SHOWN}
    rows["file nobody watches, frames a second"] = lambda scene: f"{scene['file']['fps']:.0f}"
    for name, cell in rows.items():
        yield f"| {name} | " + " | ".join(cell(scene) for scene in scenes.values()) + " |"
    yield ""
    if report["training"]:
        yield "| training, faces a second | changed on the device | as they are | computing in |"
        yield "|---|---|---|---|"
        for name, row in report["training"].items():
            yield f"| {name} | {row['changed']:,.0f} | {row['at_rest']:,.0f} | {row['computing']} |"


main = command(Settings, run, prog="python -m evaluation.speed.device_table", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
