"""--resume without repeating a flag: the settings of the run in --out are those of its settings.json.

In:  the `main` of a training's command; its command line.
Out: a `main` that adds that file to a command line with --resume; whether a folder holds a run.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from support.cli import UserError, at_home

LAST, PREVIOUS = "last.pt", "previous.pt"


def holds_run(folder: str | Path) -> bool:
    """Is there a state to continue from in `folder`?"""
    return any((Path(folder) / name).is_file() for name in (LAST, PREVIOUS))


def check_run(folder: str | Path) -> None:
    """`UserError` where `folder` holds no run to resume."""
    if not holds_run(folder):
        raise UserError(f"--resume found no {LAST} or {PREVIOUS} in {folder}; name the run's folder with --out.")


def resumable(main: Callable[[list[str]], int], *, out: str) -> Callable[..., int]:
    """`main` that takes argv (None: the command line) and completes it by `resume_arguments`."""

    def resuming(argv: list[str] | None = None) -> int:
        return main(resume_arguments(sys.argv[1:] if argv is None else argv, out=out))

    return resuming


def resume_arguments(argv: Sequence[str], *, out: str) -> list[str]:
    """`argv`, to which the settings of the run in its --out are added where it has --resume, so that none is repeated.

    What argv itself says wins, and is refused later where the run may not change it. A cross-validation's settings are
    those of its first fold. out: what --out is where it is left out.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in ("--out", "--config"):
        parser.add_argument(flag)
    parser.add_argument("--resume", action=argparse.BooleanOptionalAction)
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(None):  # the command's own parser will say why
        known, _ = parser.parse_known_args(list(argv))
        folder = Path(at_home(known.out or out))
        for settings in (folder / "settings.json", folder / "fold1" / "settings.json"):
            if known.resume and not known.config and settings.is_file():
                return [*argv, "--config", str(settings), "--out", str(folder)]
    return list(argv)
