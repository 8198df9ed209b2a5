"""What a device is worth, in five minutes: python -m evaluation.speed.device_table --device cuda

In:  synthetic videos and random pictures, made in memory.
Out: on stdout, a table in Markdown: the live loop before 1, 5 and 20 faces, and what sets its limit; the parts of one
     frame; a file nobody watches; training steps on pictures that rest on the device, without changes to them.

A figure is taken when its result is on the host, after a warm-up; that of the loop stands beside it. For a data set's
own pictures, decoded and changed: `python -m evaluation.speed.loader`. Other programs change the results.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as live.py: before numpy and torch are imported
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch

from evaluation.speed.benchmark import engine_of, measure_scene
from evaluation.speed.machine import machine, not_idle, versions
from evaluation.speed.report import origin
from evaluation.speed.synthetic_video import parse_size
from models.spec import find_spec
from models.training.learner import Learner
from pipeline.run import EmotionPipeline
from support import command, notify, pick_device, run_and_exit, setting
from support.onnx.session import available_threads
from support.training.distributed import Distributed

CLASSES = 8
ANALYSIS, DRAWING = ("grab", "detect", "track", "crop", "classify", "explain"), ("draw", "show")  # a thread each
SHOWN = ("detect", "crop", "classify", "explain", "draw")
WARM_UP, TURN = 3, 10  # steps that do not count; the most steps from one look at the clock to the next


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
        device=device, engine=settings.engine, threads=available_threads(), max_faces=max(1, *settings.faces)
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
        report["training"][name] = training_rate(name, device, batch_size=settings.batch_size, seconds=settings.seconds)
    print(*table(report, settings), sep="\n")
    return 0


def training_rate(
    name: str,
    device: torch.device,
    *,
    batch_size: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Faces a second of train.py's steps with the network `name` on one batch of bytes that rests on the device."""
    spec = find_spec(name)
    height, width = spec.preprocess.size_hw
    learner = Learner(spec.build(CLASSES), Distributed(device))
    crops = torch.randint(256, (batch_size, height, width, 3), dtype=torch.uint8).to(device)
    votes = torch.rand(batch_size, CLASSES).softmax(dim=1).to(device)

    def train(steps: int) -> float:
        """So many steps; the time when the device has finished."""
        for number in range(steps):
            x = spec.preprocess.of_tensor(crops).contiguous(memory_format=torch.channels_last)
            loss = learner.step(x, votes, lr=0.01, key=(number,))
        float(loss)
        return clock()

    began_s, warm = clock(), 0
    while warm < WARM_UP and (started_s := train(1)) - began_s < seconds:  # a slow device's first step says enough
        warm += 1
    done, turn, now_s = 0, 1, started_s
    while now_s - started_s < seconds:
        now_s = train(turn)
        done, turn = done + turn, min(2 * turn, TURN)
    return done * batch_size / (now_s - started_s)


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
        yield "| training | faces a second |"
        yield "|---|---|"
        yield from (f"| {name} | {rate:,.0f} |" for name, rate in report["training"].items())


main = command(Settings, run, prog="python -m evaluation.speed.device_table", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
