"""Hostile settings: --config files, flags, and the state of a training that is to be resumed.

In:  a random generator, an empty folder.
Out: actions that parse the settings of a command, run live.py or train.py with them for a moment, or resume.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import importlib
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from fuzz.cases import Action, Kind
from fuzz.hostile import (
    NUMBERS,
    TEXTS,
    Rng,
    changed_bytes,
    changed_text,
    changed_value,
    encoded,
    json_text,
    pick,
    value,
)
from helpers.tiny_runs import FLAGS, TINY, make_learnable

COMMANDS = ("live", "train", "data.check", "models.import", "models.export", "retinaface.export",
 "retinaface.training.__main__",
            "evaluation.classification.report", "pipeline.output.report.__main__")  # fmt: skip
# Not with hostile names: a run would write there.
NUMERIC = (int, float)


def settings_of(name: str) -> Any:
    """The settings dataclass of a command."""
    module = importlib.import_module(name)
    return next(vars(module)[known] for known in ("Settings", "TrainSettings") if known in vars(module))


def config(rng: Rng, folder: Path, shared: Path) -> Action:
    """A --config file of any command."""
    settings_class = settings_of(pick(rng, COMMANDS))
    values = {field.name: default_of(field) for field in dataclasses.fields(settings_class)}
    for _ in range(int(rng.integers(1, 5))):
        values[pick(rng, list(values))] = value(rng)
    tree = changed_value(rng, values) if rng.random() < 0.5 else values
    if rng.random() < 0.6:
        path, content = folder / "x.json", json_text(rng, tree)
    else:
        path, content = folder / "x.toml", toml_of(rng, tree)
    path.write_bytes(encoded(rng, content))
    return functools.partial(parse, settings_class, ["--config", str(path)])


def default_of(field: dataclasses.Field) -> object:
    """What a setting is where nobody says otherwise."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def toml_of(rng: Rng, tree: Any) -> str:
    """Settings as TOML; what JSON writes alike is mostly valid."""
    if not isinstance(tree, dict):
        return "a = " + "[" * 20_000
    lines = "\n".join(f"{name} = {json.dumps(entry)}" for name, entry in tree.items() if entry is not None)
    return changed_text(rng, lines) if rng.random() < 0.3 else lines


def parse(settings_class: Any, argv: list[str]) -> None:
    """The settings, and what a training checks of them."""
    from models.training.settings import Settings, check
    from support.cli import parse_settings

    parser = argparse.ArgumentParser(prog="x")
    with contextlib.redirect_stderr(io.StringIO()):
        settings = parse_settings(parser, settings_class, argv)
    if isinstance(settings, Settings):
        check(settings)


def flags(rng: Rng, folder: Path, shared: Path) -> Action:
    """Flags with values that are none."""
    settings_class = settings_of(pick(rng, COMMANDS))
    argv = []
    for _ in range(int(rng.integers(1, 4))):
        field = pick(rng, dataclasses.fields(settings_class))
        given = str(pick(rng, NUMBERS[:24])) if rng.random() < 0.5 else pick(rng, TEXTS)
        argv += [given] if field.metadata.get("positional") else ["--" + field.name.replace("_", "-"), given]
    return functools.partial(parse, settings_class, argv)


def numeric_flags(rng: Rng, settings_class: Any, skip: tuple[str, ...]) -> list[str]:
    """One to three flags of numbers, with any numbers."""
    from support.cli import kinds_of

    kinds = kinds_of(settings_class)
    names = [name for name, kind in kinds.items() if kind in NUMERIC and name not in skip]
    choices = (
        0,
        1,
        2,
        3,
        7,
        65_535,
        2**31 - 1,
        2**31,
        2**63,
        10**20,
        0.5,
        1e-320,
        1e39,
        1.7e308,
        float("inf"),
        float("nan"),
    )
    argv = []
    for _ in range(int(rng.integers(1, 4))):
        argv += ["--" + pick(rng, names).replace("_", "-"), str(pick(rng, choices))]
    return argv


def live(rng: Rng, folder: Path, shared: Path) -> Action:
    """live.py for some frames with hostile numbers and words."""
    from fuzz.media import film_bytes

    import live as door

    (folder / "x.mp4").write_bytes(film_bytes("mp4", shared))
    argv = [
        "--source",
        "x.mp4",
        "--no-show",
        "--quiet",
        "--log",
        "seen.csv",
        *numeric_flags(rng, door.Settings, ("max_frames",)),
    ]
    if rng.random() < 0.3:
        words = ("explain-class", "explainer", "device", "engine", "weights", "detector-weights", "source")
        argv += ["--" + pick(rng, words), pick(rng, TEXTS)]
    return functools.partial(run_quietly, door.main, [*argv, "--max-frames", "2"])


def run_quietly(main: Any, argv: list[str]) -> None:
    """A command; what argparse says is dropped."""
    with contextlib.redirect_stderr(io.StringIO()):
        main(argv)


def training(rng: Rng, folder: Path, shared: Path) -> Action:
    """One epoch of train.py with hostile numbers."""
    import train as door

    argv = ["--data-path", str(run_folder(shared) / "data"), "--out", "run", *TINY, *FLAGS]
    argv += [*numeric_flags(rng, door.Settings, ("epochs", "folds")), "--epochs", "1"]
    return functools.partial(run_training, argv)


def run_training(argv: list[str]) -> None:
    """train.py without the export at its end."""
    import train as door
    from support.training.run_state import RunFolder

    with mock.patch.object(RunFolder, "export"):
        run_quietly(door.main, argv)


def run_folder(shared: Path) -> Path:
    """A data set and a training of one epoch on it, made once: data/ and run/."""
    path = shared / "training"
    if not path.exists():
        own = shared / f"training-{os.getpid()}"
        make_learnable(own / "data")
        for source in sorted((own / "data").rglob("*.csv")):  # a third of the faces is enough
            source.write_text(
                "".join(source.read_text().splitlines(keepends=True)[: 24 if "Train" in str(source) else 8])
            )
        run_training(["--data-path", str(own / "data"), "--out", str(own / "run"), *TINY, *FLAGS, "--epochs", "1"])
        try:
            own.rename(path)
        except OSError:  # another process was faster
            shutil.rmtree(own)
    return path


def resume(rng: Rng, folder: Path, shared: Path) -> Action:
    """A training whose state or settings are changed, resumed."""
    base = run_folder(shared)
    shutil.copytree(base / "run", folder / "run")
    last, settings = folder / "run/last.pt", folder / "run/settings.json"
    if rng.random() < 0.6:
        (folder / "run/previous.pt").unlink(missing_ok=True)
    chance = rng.random()
    if chance < 0.2:
        settings.write_bytes(encoded(rng, json_text(rng, changed_value(rng, json.loads(settings.read_text())))))
    elif chance < 0.3:
        last.write_bytes(changed_bytes(rng, last.read_bytes()))
    else:
        state = torch.load(last, weights_only=True)
        torch.save(changed_state(rng, state), last)
    argv = ["--resume", "--out", "run", "--epochs", "2", "--data-path", str(base / "data"), "--device", "cpu"]
    return functools.partial(run_training, argv)


def changed_state(rng: Rng, state: Any) -> Any:
    """A state in which one to three entries, at any depth, are others or gone."""
    for _ in range(int(rng.integers(1, 4))):
        place = state
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = pick(rng, keys)
            inner = place[key]
            if not isinstance(inner, (dict, list)) or not inner or rng.random() < 0.3:
                break
            place = inner
        if rng.random() < 0.3:
            del place[key]
        else:
            place[key] = torch.zeros(3) if rng.random() < 0.2 else value(rng)
        if not state:
            break
    return state


KINDS = {
    "config": Kind(config, 10),
    "flags": Kind(flags, 5),
    "live": Kind(live, 1.2),
    "training": Kind(training, 1.2),
    "resume": Kind(resume, 3),
}
