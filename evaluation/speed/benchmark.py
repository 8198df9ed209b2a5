"""Measure speed, lag, start-up and memory: python -m evaluation.speed [--compare PUBLIC.pth] [--out DIR]

In:  synthetic videos with 1, 5 and 20 moving faces in three sizes, made in memory (synthetic_video.py).
Out: milliseconds a stage, frames a second of the live loop and of a file, lag under a camera that is too fast, start-up
     and memory of live.py: as a table on stdout, DIR/benchmark.json and DIR/benchmark.png.

Figures of the warm-up stand beside those after it; a rate that the source alone does not reach is refused. Medians and
95th percentiles after a warm-up, each over --seconds, beside machine, load and versions. Under three
minutes on two idle cores. Other programs change the results: close them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import sys

from evaluation.commands import publish
from evaluation.speed.live_loop import NoScreen, live_lag, loop_rate
from evaluation.speed.machine import machine, not_idle, versions
from evaluation.speed.processes import memory, output_of, start_up
from evaluation.speed.report import speed_figure, table
from evaluation.speed.stage_times import stage_times
from evaluation.speed.synthetic_video import parse_size, synthetic_video
from models.engines import OnnxEngine as OnnxClassifier
from pipeline.output.window import Window, display_available
from pipeline.run import EmotionPipeline
from retinaface.engines import OnnxEngine as OnnxDetector
from support import UserError, command, notify, pick_device, setting
from support.onnx.session import available_threads

WAIT_POLICY = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")  # environment variables that live.py sets and others do not


@dataclasses.dataclass
class Settings:
    """Flags of `python -m evaluation.speed`."""

    out: str = setting("runs/benchmark", "where benchmark.json and benchmark.png go", metavar="DIR")
    compare: str | None = setting(
        None,
        "also measure the loop as most projects write it: batch-face with the public RetinaFace weights",
        metavar="FILE.pth",
    )
    faces: list[int] = setting([1, 5, 20], "how many faces a frame shows", metavar="N", within=(0, 1000))
    sizes: list[str] = setting(["640x480", "1280x720", "1920x1080"], "sizes of the frames", metavar="WxH")
    engine: str = setting("auto", "what runs the networks", choices=["auto", "onnx", "torch"])
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    seconds: float = setting(2.0, "how long each measurement takes", within=(0.01, 86400))
    processes: bool = setting(True, "also measure start-up and memory of live.py")


def run(settings: Settings) -> int:
    """Measure, write, print."""
    if not settings.faces or not settings.sizes:
        raise UserError("--faces and --sizes take one value or more.")
    report = measure(settings)
    publish(settings.out, "benchmark", report, {"benchmark": speed_figure(report)}, table(report))
    return 0


def measure(settings: Settings) -> dict:
    """The content of benchmark.json. The processes run first, while this one has no threads yet."""
    scenes = [(size, faces) for size in settings.sizes if parse_size(size) for faces in settings.faces]
    about = machine()
    report: dict = {
        "command": " ".join(["python -m evaluation.speed", *sys.argv[1:]]),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "settings": dataclasses.asdict(settings),
        "machine": about,
        "versions": versions(),
    }
    if warning := not_idle(about):
        notify(warning)
    if settings.processes:
        flags = ["--engine", settings.engine, "--device", settings.device]
        notify("start-up and memory of live.py")
        report |= {"start_up": start_up(flags), "memory": memory(flags)}
    baseline = measure_baseline(settings, settings.compare) if settings.compare else []
    report |= measure_scenes(settings, scenes)
    if baseline:
        for scene, row in zip(report["scenes"], baseline, strict=True):
            scene["baseline"] = row
    return report


def measure_baseline(settings: Settings, detector_weights: str) -> list[dict]:
    """For each scene what `evaluation.speed.baseline_loop` measures, as a process with torch's own settings."""
    notify("the baseline loop with batch-face")
    command = [sys.executable, "-m", "evaluation.speed.baseline_loop", "--device", settings.device]
    command += ["--detector-weights", detector_weights, "--seconds", str(settings.seconds)]
    command += ["--sizes", *settings.sizes, "--faces", *map(str, settings.faces)]
    return json.loads(output_of(command, without=WAIT_POLICY))


def measure_scenes(settings: Settings, scenes: list[tuple[str, int]]) -> dict:
    """`engine`, `show` and the figures of all `scenes`, (size, number of faces) each."""
    pipeline = EmotionPipeline.from_files(
        device=pick_device(settings.device),
        engine=settings.engine,
        threads=available_threads(),
        max_faces=max(1, *settings.faces),
    )
    rows = []
    with contextlib.closing(pipeline):
        pipeline.warm_up({parse_size(size) for size in settings.sizes})  # as live.py: the first scene still meets it
        for size, faces in scenes:
            notify(f"{size} with {faces} face{'s' * (faces != 1)}")
            rows.append({"size": size, "faces": faces} | measure_scene(pipeline, size, faces, settings.seconds))
    show = "show: a real window" if display_available() else "show: no display, so only the conversion to BGR"
    return {"engine": engine_of(pipeline), "show": show, "scenes": rows}


def measure_scene(pipeline: EmotionPipeline, size: str, faces: int, seconds: float) -> dict:
    """The stages, the live loop, its lag, and a file, with a synthetic video of `faces` faces."""
    video = synthetic_video(faces, parse_size(size))
    live = loop_rate(pipeline, video, live=True, seconds=seconds)  # first, so that its warm-up is one
    with Window("benchmark") if display_available() else contextlib.nullcontext(NoScreen()) as screen:
        stages = stage_times(pipeline, video, seconds=seconds, show=screen.show)
    return stages | {
        "live": live,
        "lag": live_lag(pipeline, video, seconds=seconds, loop_fps=live["fps"]),
        "file": loop_rate(pipeline, video, live=False, seconds=seconds),
    }


def engine_of(pipeline: EmotionPipeline) -> str:
    """What runs the two networks, and on which device."""
    engines = [getattr(part, "engine", None) for part in (pipeline.detector, pipeline.classifier)]
    first, second = ("ONNX Runtime" if isinstance(one, OnnxClassifier | OnnxDetector) else "torch" for one in engines)
    both = first if first == second else f"{first} (faces) and {second} (expressions)"
    return "; ".join([f"{both} on {pipeline.classifier.device}", *pipeline.computing])


main = command(Settings, run, prog="python -m evaluation.speed", doc=__doc__)
