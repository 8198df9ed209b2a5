"""Is it fast? python -m evaluation.benchmark [--compare batch-face] [--out DIR]

In:  crowds of 1, 5 and 20 moving faces in three sizes, made in memory (`evaluation/crowds.py`).
Out: milliseconds a stage, frames a second of the live loop and of a film's file, the lag of a picture under a camera
     that is too fast, start-up and memory of live.py, as a table on stdout, DIR/benchmark.json and DIR/benchmark.png.

Medians and 95th percentiles, after a warm-up, each over --seconds; machine, load and versions stand beside them. Under
three minutes on two idle cores. What goes on elsewhere on the machine goes into the figures: close it.
"""

from __future__ import annotations

import argparse
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

from support import UserError, add_flags, note, pick_device, run_door, setting, written_whole


@dataclasses.dataclass
class Settings:
    """Flags of `python -m evaluation.benchmark`."""

    out: str = setting("runs/benchmark", "where benchmark.json and benchmark.png go", metavar="DIR")
    compare: str | None = setting(None, "also measure the loop as most projects write it", choices=["batch-face"])
    faces: list[int] = setting([1, 5, 20], "how many faces a frame shows", metavar="N")
    sizes: list[str] = setting(["640x480", "1280x720", "1920x1080"], "sizes of the frames", metavar="WxH")
    engine: str = setting("auto", "what runs the networks", choices=["auto", "onnx", "torch"])
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    seconds: float = setting(2.0, "how long each measurement takes")
    processes: bool = setting(True, "measure start-up and memory of live.py, too")


def main(argv: list[str] | None = None) -> int:
    """Parse flags, measure, write, print."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmark", description=__doc__.split("\n")[0])
    add_flags(parser, Settings)
    settings = Settings(**vars(parser.parse_args(argv)))
    if not settings.faces or not settings.sizes or min(settings.faces) < 0 or settings.seconds <= 0:
        raise UserError("--faces and --sizes take one value or more, --faces 0 or more, --seconds a number above 0.")
    report = measured(settings)
    write(report, Path(settings.out))

    from evaluation.speed_report import table

    for line in table(report):
        print(line)
    return 0


def measured(settings: Settings) -> dict:
    """What benchmark.json holds. live.py and the plain loop run first, while this process has no threads yet."""
    from evaluation.crowds import size_of
    from evaluation.machine import machine, not_idle, versions

    scenes = [(size, faces) for size in settings.sizes if size_of(size) for faces in settings.faces]
    report = {
        "command": " ".join(["python -m evaluation.benchmark", *sys.argv[1:]]),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "settings": dataclasses.asdict(settings),
        "machine": machine(),
        "versions": versions(),
    }
    if busy := not_idle(report["machine"]):
        note(busy)
    if settings.processes:
        report |= process_figures(settings)
    plain = plain_figures(settings) if settings.compare else [{}] * len(scenes)
    report |= crowd_figures(settings, scenes)
    for scene, beside in zip(report["scenes"], plain, strict=True):
        scene |= beside
    return report


def process_figures(settings: Settings) -> dict:
    """`start_up` and `memory` of live.py."""
    from evaluation.processes import memory, start_up

    flags = ["--engine", settings.engine, "--device", settings.device]
    note("start-up of live.py")
    seconds = start_up(flags)
    note("memory of live.py")
    return {"start_up": seconds, "memory": memory(flags)}


def plain_figures(settings: Settings) -> list[dict]:
    """For each scene `plain`: what `evaluation.plain_loop` measures, as a process with torch as it comes."""
    from evaluation.processes import output_of

    note("the plain loop with batch-face")
    command = [sys.executable, "-m", "evaluation.plain_loop", "--device", settings.device]
    command += ["--seconds", str(settings.seconds), "--sizes", *settings.sizes, "--faces", *map(str, settings.faces)]
    return [{"plain": row} for row in json.loads(output_of(command, without=WAITING))]


def crowd_figures(settings: Settings, scenes: list[tuple[str, int]]) -> dict:
    """`engine`, `show` and the figures of all `scenes`, (size, number of faces) each."""
    from evaluation.crowds import crowd_film, size_of
    from evaluation.live_loop import NoScreen, file_rate, live_lag, live_rate
    from evaluation.stage_times import stage_times
    from models.classifier import Classifier
    from pipeline.run import EmotionPipeline
    from pipeline.screen import Window, display_available
    from retinaface.detector import RetinaFace
    from support.onnx_runtime import threads_here

    device = pick_device(settings.device)
    wanted = {"device": device, "engine": settings.engine, "threads": threads_here()}
    detector = RetinaFace.from_file(max_faces=max(1, *settings.faces), **wanted)
    pipeline = EmotionPipeline(detector, Classifier.from_file(**wanted))
    rows = []
    for size, faces in scenes:
        note(f"{size} with {faces} face{'s' * (faces != 1)}")
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
    from evaluation.speed_report import speed_figure

    with written_whole(folder / "benchmark.json") as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    with written_whole(folder / "benchmark.png") as temporary:
        speed_figure(report).savefig(temporary)
    note(f"benchmark.json and benchmark.png are in {folder}")


if __name__ == "__main__":
    run_door(main)
