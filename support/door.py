"""What every command shares: flags made from a dataclass, one-sentence errors, the device.

In:  a settings dataclass, argv.
Out: flags on a parser, an exit code, a torch device.

torch is imported only when a device is picked, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import logging
import math
import os
import sys
import types
import typing
from collections.abc import Callable

from support.errors import FAILED, UserError

VERSION = "0.1.0"


def note(sentence: str) -> None:
    """Tell the person something: on stderr, because stdout carries data."""
    print(sentence, file=sys.stderr, flush=True)


def run_door(main: Callable[[], int | None]) -> typing.NoReturn:
    """Run `main` and leave the process: a `UserError` becomes one line on stderr, Ctrl-C exit code 130."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)  # what the libraries have to say, on stderr
    try:
        code = main() or 0
    except UserError as error:
        note(f"error: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # `python live.py | head`: the reader has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def setting(default: object, help: str, **argparse_options: object) -> typing.Any:
    """A dataclass field with its help text; `argparse_options` (choices, metavar, nargs ...) go to the flag.

    within=(low, high): a number must lie there, both ends included.
    """
    metadata = {"help": help, **argparse_options}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def add_flags(parser: argparse.ArgumentParser, settings_class: type) -> None:
    """Give `parser` one `--flag` a field of the dataclass `settings_class`, made with `setting`.

    `max_faces: int` becomes `--max-faces N`; a bool becomes `--mirror / --no-mirror`; `list[...]` takes many values.
    """
    kinds = kinds_of(settings_class)
    for field in dataclasses.fields(settings_class):
        options = dict(field.metadata)
        within = options.pop("within", None)
        default = field.default_factory() if field.default is dataclasses.MISSING else field.default
        flag = "--" + field.name.replace("_", "-")
        kind = kinds[field.name]
        if kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif typing.get_origin(kind) is list:
            options.setdefault("nargs", "*")
            options["type"] = typing.get_args(kind)[0]
        else:
            options["type"] = functools.partial(_number_within, kind, within) if within else kind
        if default not in (None, [], "") and kind is not bool:
            options["help"] += f" (default: {default})"
        parser.add_argument(flag, default=default, **options)


def kinds_of(settings_class: type) -> dict[str, type]:
    """The type of each setting, by name: `int` for `int | None`, any other as it is annotated."""
    return {name: _plain_type(hint) for name, hint in typing.get_type_hints(settings_class).items()}


def within_words(low: float, high: float) -> str:
    """The numbers from `low` to `high`, in words."""
    return f"at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"


def _plain_type(hint: object) -> type:
    if isinstance(hint, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def _number_within(kind: type, within: tuple[float, float], text: str) -> int | float:
    """The number in `text`, refused as argparse wants it where it is none or lies elsewhere."""
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if not within[0] <= number <= within[1]:  # never so for nan
        what = "a whole number" if kind is int else "a number"
        raise argparse.ArgumentTypeError(f"wanted {what} {within_words(*within)}, not {text!r}")
    return number


def pick_device(wanted: str):
    """The `torch.device` for `auto`, `cpu`, `mps`, `cuda` or `cuda:N`; `UserError` where it is not there."""
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if wanted == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    kind, _, index = wanted.partition(":")
    here = ["cpu"] + ["mps"] * mps + [f"cuda:{i}" for i in range(torch.cuda.device_count() if cuda else 0)]
    known = kind in ("cpu", "mps", "cuda") and (not index or (kind == "cuda" and index.isdigit()))
    if not known:
        raise UserError(
            f"--device takes auto, cpu, mps, cuda or cuda:N, not {wanted!r}; this machine has {', '.join(here)}."
        )
    name = f"cuda:{index or 0}" if kind == "cuda" else kind
    if name not in here:
        raise UserError(
            f"--device {wanted} was asked for, but this machine has only {', '.join(here)}; leave --device out.",
            exit_code=FAILED,
        )
    return torch.device(name)
