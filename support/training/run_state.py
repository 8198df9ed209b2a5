"""The folder of a training run: its settings, and its state, kept twice so that no moment of a kill loses both.

In:  a folder, the settings of the run, a dict of tensors and plain values; signals.
Out: settings.json, last.pt and previous.pt there, and the newer of the two that loads; whether the run is to stop.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from support.cli import FAILED, UserError, notify
from support.files import atomic_write, write_json
from support.training.distributed import Distributed
from support.training.resuming import LAST, PREVIOUS, holds_run
from support.words import count

WEIGHTS = ("best.safetensors", "weights.safetensors")  # what a run of either training leaves
STOPPING = "stopping after this step; everything will be saved"  # said when a stop signal comes

# Settings that may change when a run is resumed: where things lie, how it is run, what is said about it, when it ends.
# What `soft`, `teacher` and `labels` name is told apart by its content, which is part of the data.
MAY_CHANGE = {"data_path", "annotations", "images", "out", "threads", "workers", "device", "tensorboard", "save_every",
              "memory", "accept", "patience", "soft", "teacher", "labels"}  # fmt: skip


class RunFolder:
    """The folder of one run. All processes read it; only the main one writes.

    settings: a dataclass with `resume`; all but MAY_CHANGE are to be the same when the run is resumed.
    data: what else is to be the same then, plain values by name, such as how many pictures, a digest of their labels.
    """

    def __init__(self, path: str | Path, settings: Any, distributed: Distributed, *, data: dict[str, Any]) -> None:
        self.path, self.settings, self.is_main = Path(path), settings, distributed.is_main
        values = dataclasses.asdict(settings) | data
        self.identity = {name: value for name, value in values.items() if name not in MAY_CHANGE | {"resume"}}

    def begin(self) -> dict:
        """What `load` gives where the settings say resume; else nothing, after writing the settings of a new run.

        Raises `UserError` where a new run's folder holds one already, or its weights.
        """
        if self.settings.resume:
            state = self.load()
            if self.is_main:
                write_json(dataclasses.asdict(self.settings) | {"resume": False}, self.path / "settings.json")
            return state
        if self.is_main and holds_run(self.path):
            raise UserError(f"{self.path} holds a run already; add --resume to continue it, or name another --out.")
        if self.is_main and (kept := [name for name in WEIGHTS if (self.path / name).exists()]):
            raise UserError(f"{self.path / kept[0]} is of an earlier run; delete it, or name another --out.")
        if self.is_main:
            write_json(dataclasses.asdict(self.settings), self.path / "settings.json")
        return {}

    def save(self, state: dict) -> None:
        """Write last.pt atomically; what was last.pt becomes previous.pt."""
        if not self.is_main:
            return
        with atomic_write(self.path / LAST) as temporary:
            try:
                torch.save(state | {"settings": self.identity}, temporary)
            except (RuntimeError, OSError) as error:  # what torch says is of no use: "unexpected pos"
                raise UserError(
                    f"{self.path / LAST} cannot be written: is the disk full? What was saved before is whole; "
                    "make room, then add --resume.",
                    exit_code=FAILED,
                ) from error
            if (self.path / LAST).exists():
                os.replace(self.path / LAST, self.path / PREVIOUS)

    def load(self) -> dict:
        """last.pt, or previous.pt where a kill came between the two; `UserError` where none loads or settings differ.

        Settings that the state does not know, because the run is older than they are, have their defaults.
        """
        for name in (LAST, PREVIOUS):
            try:
                state = torch.load(self.path / name, map_location="cpu", weights_only=True)
                saved = dict(state.get("settings", {}))
                break
            except Exception:  # missing, cut off, or no pickle at all, which may fail in any way inside the unpickler
                continue
        else:
            raise UserError(
                f"--resume found no {LAST} or {PREVIOUS} that loads in {self.path}; start the run without it."
            )
        now, then = self.identity, dataclasses.asdict(type(self.settings)()) | saved
        changed = [name for name in now if not _equal(then.get(name, now[name]), now[name])]
        if "epochs" in changed and isinstance(then["epochs"], int) and now["epochs"] > then["epochs"]:
            changed.remove("epochs")
            if self.is_main:
                words = f"{count(now['epochs'], 'epoch')} instead of {then['epochs']}"
                notify(f"to go on to {words}, with the schedule of the longer run")
        if changed:
            words = ", ".join(f"{name} {then[name]!r} and not {now[name]!r}" for name in changed)
            raise UserError(f"the run to resume was started with {words}; give the same, or start a new run.")
        return state

    def export(self, export: Callable[[Path], object], name: str) -> None:
        """Call `export`, which writes an .onnx file beside the weights file `name`; where it fails, say why."""
        if not self.is_main:
            return
        try:
            export(self.path / name)
        except (UserError, OSError) as error:  # the run itself is complete
            notify(f"there is no .onnx beside {self.path / name}: {error}")


def _equal(saved: Any, now: Any) -> bool:
    """Is a setting what it was? What cannot be compared, such as an array in its place, is not."""
    try:
        return bool(saved == now)
    except (RuntimeError, TypeError, ValueError):
        return False
