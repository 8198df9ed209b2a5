"""Is it fast? python -m evaluation.speed [--compare batch-face] [--out DIR]

In:  crowds of 1, 5 and 20 moving faces in three sizes, made in memory (`evaluation/speed/synthetic_video.py`).
Out: milliseconds a stage, frames a second of the live loop and of a film's file, the lag of a picture under a camera
     that is too fast, start-up and memory of live.py, as a table on stdout, DIR/benchmark.json and DIR/benchmark.png.

Medians and 95th percentiles, after a warm-up, each over --seconds; machine, load and versions stand beside them. Under
three minutes on two idle cores. What goes on elsewhere on the machine goes into the figures: close it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import sys
from pathlib import Path

WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}  # as live.py has its threads wait
for name, value in WAITING.items():
    os.environ.setdefault(name, value)

from support import UserError, command, notify, pick_device, run_and_exit, setting, write_json
from support.figures import save_figure


@dataclasses.dataclass
class Settings:
    """Flags of `python -m evaluation.speed`."""

    out: str = setting("runs/benchmark", "where benchmark.json and benchmark.png go", metavar="DIR")
    compare: str | None = setting(None, "also measure the loop as most projects write it", choices=["batch-face"])
    faces: list[int] = setting([1, 5, 20], "how many faces a frame shows", metavar="N")
    sizes: list[str] = setting(["640x480", "1280x720", "1920x1080"], "sizes of the frames", metavar="WxH")
    engine: str = setting("auto", "what runs the networks", choices=["auto", "onnx", "torch"])
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    seconds: float = setting(2.0, "how long each measurement takes")
    processes: bool = setting(True, "measure start-up and memory of live.py, too")


def run(settings: Settings) -> int:
    """Parse flags, measure, write, print."""
    if not settings.faces or not settings.sizes or min(settings.faces) < 0 or settings.seconds <= 0:
        raise UserError("--faces and --sizes take one value or more, --faces 0 or more, --seconds a number above 0.")
    report = measured(settings)
    write(report, Path(settings.out))

    from evaluation.speed.report import table

    for line in table(report):
        print(line)
    return 0


def measured(settings: Settings) -> dict:
    """What benchmark.json holds. live.py and the plain loop run first, while this process has no threads yet."""
    from evaluation.speed.machine import machine, not_idle, versions
    from evaluation.speed.synthetic_video import size_of

    scenes = [(size, faces) for size in settings.sizes if size_of(size) for faces in settings.faces]
    report = {
        "command": " ".join(["python -m evaluation.speed", *sys.argv[1:]]),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "settings": dataclasses.asdict(settings),
        "machine": machine(),
        "versions": versions(),
    }
    if busy := not_idle(report["machine"]):
        notify(busy)
    if settings.processes:
        report |= process_figures(settings)
    plain = plain_figures(settings) if settings.compare else [{}] * len(scenes)
    report |= crowd_figures(settings, scenes)
    for scene, beside in zip(report["scenes"], plain, strict=True):
        scene |= beside
    return report


def process_figures(settings: Settings) -> dict:
    """`start_up` and `memory` of live.py."""
    from evaluation.speed.processes import memory, start_up

    flags = ["--engine", settings.engine, "--device", settings.device]
    notify("start-up of live.py")
    seconds = start_up(flags)
    notify("memory of live.py")
    return {"start_up": seconds, "memory": memory(flags)}


def plain_figures(settings: Settings) -> list[dict]:
    """For each scene `plain`: what `evaluation.speed.baseline_loop` measures, as a process with torch as it comes."""
    from evaluation.speed.processes import output_of

    notify("the plain loop with batch-face")
    command = [sys.executable, "-m", "evaluation.speed.baseline_loop", "--device", settings.device]
    command += ["--seconds", str(settings.seconds), "--sizes", *settings.sizes, "--faces", *map(str, settings.faces)]
    return [{"plain": row} for row in json.loads(output_of(command, without=WAITING))]


def crowd_figures(settings: Settings, scenes: list[tuple[str, int]]) -> dict:
    """`engine`, `show` and the figures of all `scenes`, (size, number of faces) each."""
    from evaluation.speed.live_loop import NoScreen, file_rate, live_lag, live_rate
    from evaluation.speed.stage_times import stage_times
    from evaluation.speed.synthetic_video import crowd_film, size_of
    from models.classifier import Classifier
    from pipeline.output.window import Window, display_available
    from pipeline.run import EmotionPipeline
    from retinaface.detector import RetinaFace
    from support.onnx.session import threads_here

    device = pick_device(settings.device)
    wanted = {"device": device, "engine": settings.engine, "threads": threads_here()}
    detector = RetinaFace.from_file(max_faces=max(1, *settings.faces), **wanted)
    pipeline = EmotionPipeline(detector, Classifier.from_file(**wanted))
    rows = []
    for size, faces in scenes:
        notify(f"{size} with {faces} face{'s' * (faces != 1)}")
        film = crowd_film(faces, size_of(size))
        with Window("benchmark") if display_available() else contextlib.nullcontext(NoScreen()) as screen:
            row = {"size": size, "faces": faces} | stage_times(
                pipeline, film, seconds=settings.seconds, show=screen.show
            )
        row["live"] = live_rate(pipeline, film, seconds=settings.seconds)
        row["lag"] = live_lag(pipeline, film, seconds=settings.seconds, loop_fps=row["live"]["fps"])
        row["file"] = file_rate(pipeline, film, seconds=settings.seconds)
        rows.append(row)
    show = "show: a real window" if display_available() else "show: no display, so only the way to BGR is measured"
    return {"engine": engine_of(pipeline), "show": show, "scenes": rows}


def engine_of(pipeline) -> str:
    """What runs the two networks, and on which device."""
    from models.onnx_engine import OnnxEngine as OnnxClassifier
    from retinaface.onnx_engine import OnnxEngine as OnnxDetector

    detector = "ONNX Runtime" if isinstance(pipeline.detector.engine, OnnxDetector) else "torch"
    classifier = "ONNX Runtime" if isinstance(pipeline.classifier.engine, OnnxClassifier) else "torch"
    both = detector if detector == classifier else f"{detector} (faces) and {classifier} (expressions)"
    return f"{both} on {pipeline.classifier.device}"


def write(report: dict, folder: Path) -> None:
    """benchmark.json and benchmark.png in `folder`, each whole or not at all."""
    from evaluation.speed.report import speed_figure

    write_json(report, folder / "benchmark.json")
    save_figure(speed_figure(report), folder / "benchmark.png")
    notify(f"benchmark.json and benchmark.png are in {folder}")


main = command(Settings, run, prog="python -m evaluation.speed", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
