"""The state of a training run on disk: the newest and the one before, so that no moment of a kill loses both.

In:  a run's folder, its settings, a dict of tensors and plain values.
Out: settings.json, last.pt and previous.pt there; and the newest of the two that loads.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import torch

from support.cli import UserError
from support.files import atomic_write

LAST, PREVIOUS = "last.pt", "previous.pt"


def save_state(folder: str | Path, state: dict) -> None:
    """Write last.pt whole; what was last.pt becomes previous.pt."""
    folder = Path(folder)
    with atomic_write(folder / LAST) as temporary:
        torch.save(state, temporary)
        if (folder / LAST).exists():
            os.replace(folder / LAST, folder / PREVIOUS)


def newest_state(folder: str | Path) -> dict:
    """last.pt, or previous.pt where a kill caught the moment between the two; `UserError` where neither loads."""
    for name in (LAST, PREVIOUS):
        try:
            return torch.load(Path(folder) / name, map_location="cpu", weights_only=True)
        except Exception:  # missing, cut off, or no pickle at all, which may fail in any way inside the unpickler
            continue
    raise UserError(f"--resume found no {LAST} or {PREVIOUS} that loads in {folder}; start the run without it.")


def refuse_to_overwrite(folder: str | Path) -> None:
    """`UserError` where `folder` holds a run already."""
    if any((Path(folder) / name).exists() for name in (LAST, PREVIOUS)):
        raise UserError(f"{folder} holds a run already; add --resume to carry on, or name another --out.")


def begin_run(folder: str | Path, settings: object) -> None:
    """Write the dataclass `settings` into the folder of a new run; `UserError` where it holds a run already."""
    refuse_to_overwrite(folder)
    with atomic_write(Path(folder) / "settings.json") as temporary:
        temporary.write_text(json.dumps(dataclasses.asdict(settings), indent=1) + "\n", encoding="utf-8")


def refuse_changes(then: dict, now: dict) -> None:
    """`UserError` where a value of `now` is another in `then`, when the run to be resumed was started.

    What `then` does not know, because the run is older than the setting, is not compared.
    """
    changed = [name for name in now if then.get(name, now[name]) != now[name]]
    if changed:
        words = ", ".join(f"{name} {then[name]!r} and not {now[name]!r}" for name in changed)
        raise UserError(f"the run to resume was started with {words}; give the same, or start anew.")
