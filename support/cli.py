"""What every command shares: settings from flags or a file, the device.

In:  a settings dataclass, argv, perhaps a .toml or .json file whose keys are the flags' names (--config).
Out: settings, an exit code. The command line wins over the file, the file over the defaults.
"""

from __future__ import annotations

import argparse
import codecs
import dataclasses
import difflib
import functools
import json
import math
import os
import re
import sys
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path

from support.process import (
    ROOT,
    begin,
    is_command,
    missing_package,
    notify,
    run_and_exit,
)
from support.words import BAD_ARGUMENTS, FAILED, UserError

__all__ = ["FAILED", "UserError", "command", "notify", "run_and_exit", "setting"]

if is_command():  # now, since a package's import is the first that `python -m` does: before those that take seconds
    begin()
    for _variable, _folder in (("MPLCONFIGDIR", "matplotlib"), ("TORCHINDUCTOR_CACHE_DIR", "torchinductor")):
        os.environ.setdefault(_variable, str(ROOT / ".cache" / _folder))  # nothing is left in the home folder
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before it is imported anywhere: nothing may leave the machine

VERSION = "0.1.0"
READERS: Mapping[str, Callable[[str], object]] = {".toml": tomllib.loads, ".json": json.loads}
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
ITEMS = {str: "texts", int: "whole numbers", float: "numbers"}
LARGEST = 10**9  # number of a setting: pixels, faces and steps overflow C's int somewhere beyond, rates float32
ANY = (-math.inf, math.inf)
S = typing.TypeVar("S")


class Parser(argparse.ArgumentParser):
    """argparse's parser, which says what is wrong in one sentence, without the list of all flags above it."""

    def error(self, message: str) -> typing.NoReturn:
        """Print `message` and leave with exit code 2."""
        notify(f"error: {message}; {self.prog} --help lists what it takes.")
        self.exit(BAD_ARGUMENTS)


def command(
    settings_class: type[S], run: Callable[[S], int | None], *, prog: str, doc: str | None
) -> Callable[..., int]:
    """The `main(argv)` of a command: flags become settings, `run` gives the exit code. argv: None: the command line.

    prog: how the command is called. doc: its module's docstring, whose first line --help shows. Every command also
    takes --config FILE and --version. A package that is not installed becomes a `UserError`.
    """

    def main(argv: list[str] | None = None) -> int:
        what = re.sub(r" (?=python )", "\n\n    ", (doc or "").split("\n")[0])  # a command that wraps cannot be copied
        form = argparse.RawDescriptionHelpFormatter
        parser = Parser(prog=prog, description=what, formatter_class=form, allow_abbrev=False)
        parser.add_argument("--version", action="version", version=f"{prog} {VERSION}")
        settings = parse_settings(parser, settings_class, argv)
        try:
            return run(settings) or 0
        except ModuleNotFoundError as error:
            if not error.name or "." in error.name:  # a part that its package lacks
                raise
            raise UserError(missing_package(error.name, command=prog), exit_code=FAILED) from error

    return main


def setting(default: object, help: str, **argparse_options: object) -> typing.Any:
    """A dataclass field with its help text; `argparse_options` (choices, metavar, nargs ...) go to the flag.

    within=(low, high): a number, or each of a list, must lie there, both ends included.
    positional=True: an argument, not a flag.
    """
    metadata: dict[str, object] = {"help": help, **argparse_options}
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
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if options.pop("positional", False):
            parser.add_argument(field.name, **options)
            continue
        kind = kinds[field.name]
        if kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif typing.get_origin(kind) is list:
            options.setdefault("nargs", "*")
            kind = typing.get_args(kind)[0]
        if kind in (int, float):
            options["type"] = functools.partial(_number_within, kind, within or ANY)
        elif kind is str:
            options["type"] = str if default == "" else _text
        if default not in (None, [], "") and kind is not bool:
            options["help"] += f" (default: {default})"
        parser.add_argument("--" + field.name.replace("_", "-"), default=default, **options)


def kinds_of(settings_class: type) -> dict[str, type]:
    """The type of each setting, by name: `int` for `int | None`, any other as it is annotated."""
    hints = typing.get_type_hints(settings_class)
    return {
        name: typing.get_args(hint)[0] if isinstance(hint, types.UnionType) else hint for name, hint in hints.items()
    }


def _text(text: str) -> str:
    """`text`, refused as argparse wants it where it is empty: `--out "$OUT"` where nothing is in `OUT`."""
    if not text:
        raise argparse.ArgumentTypeError("wanted a text, not an empty one; leave the flag out, or name something")
    return text


def _number_within(kind: type, within: tuple[float, float], text: str) -> int | float:
    """The number in `text`, refused as argparse wants it where it is none or lies elsewhere."""
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if not usable(number, within):
        raise argparse.ArgumentTypeError(f"wanted {number_words(kind, within)}, not {text!r:.60}")
    return number


def usable(number: int | float, within: tuple[float, float]) -> bool:
    """Does `number` lie there, and is it no larger than `LARGEST`?"""
    return within[0] <= number <= within[1] and abs(number) <= LARGEST  # never so for nan


def number_words(kind: type, within: tuple[float, float]) -> str:
    """The numbers that `usable` takes, in words."""
    low, high = within
    if math.isinf(low):
        return f"{WORDS[kind]} of at most {LARGEST:,}"
    if math.isinf(high):
        return f"{WORDS[kind]} at least {low:g} and at most {LARGEST:,}"
    return f"{WORDS[kind]} from {low:g} to {high:g}"


def parse_settings(parser: argparse.ArgumentParser, settings_class: type[S], argv: list[str] | None = None) -> S:
    """`settings_class` from `argv` (None: the command line) and the file that its --config names, if it names one.

    Raises `UserError` where the file cannot be read, has a key that is no flag, or a value that the flag does not take.
    """
    add_flags(parser, settings_class)
    parser.add_argument("--config", metavar="FILE", help="a .toml or .json file of flags by name")
    given = parser.parse_args(argv)
    if given.config:
        parser.set_defaults(**read_config(at_home(given.config), settings_class))
        given = parser.parse_args(argv)
    return settings_class(**{name: at_home(value) for name, value in vars(given).items() if name != "config"})


def at_home(value: typing.Any) -> typing.Any:
    """A text, or each of a list, with the home folder in place of a `~/` in front; any other value as it is.

    Shells leave it alone behind `=`, in quotes and in files, and a folder called `~` would be made.
    """
    if isinstance(value, list):
        return [at_home(one) for one in value]
    if not isinstance(value, str) or not re.match(r"~([/\\]|$)", value):
        return value
    if (path := os.path.expanduser(value)) == value:
        raise UserError(f"there is no home folder for {value}; set HOME, or write the folder out.")
    return path


def refuse_special_file(path: Path) -> None:
    """`UserError` where `path` is there and no ordinary file: reading a pipe could wait without end."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is a folder, a device or a pipe; name a file.")


def read_config(path: str | Path, settings_class: type) -> dict[str, object]:
    """The values of a .toml or .json file by the names of the settings, each checked as its flag would be."""
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in READERS:
        raise UserError(f"--config takes a .toml or .json file, not {path}.")
    try:
        refuse_special_file(path)
        content = path.read_bytes()
        utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # as PowerShell's > writes it
        table = READERS[kind](content.decode("utf-16" if utf_16 else "utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # of both readers, and of bytes that are no text
        raise UserError(f"{path} cannot be read as {kind[1:]}: {error}; repair it.") from error
    if not isinstance(table, dict):
        raise UserError(f"{path} must hold settings by name, not {table!r:.60}.")
    fields = {field.name: field for field in dataclasses.fields(settings_class)}
    kinds = kinds_of(settings_class)
    values: dict[str, object] = {}
    for key, value in table.items():
        name = key.removeprefix("--").replace("-", "_")
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f"did you mean {near[0]}?" if near else "--help lists them."
            raise UserError(f"{path}: there is no setting called {key}; {hint}")
        if fields[name].metadata.get("positional"):
            raise UserError(f"{path}: {key} is named on the command line; leave it out of the file.")
        if value is None and fields[name].default is None:  # a settings.json says null where nothing was asked
            continue
        if fields[name].default != "" and "" in (value if isinstance(value, list) else [value]):
            raise UserError(f"{path}: {key} is empty; leave it out, or name something.")
        values[name] = _checked(value, kinds[name], fields[name].metadata, f"{path}: {key}")
    return values


def is_argument(text: str) -> bool:
    """Could the text stand on a command line, as what a .json file holds may not?"""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _checked(value: typing.Any, kind: type, options: Mapping[str, typing.Any], what: str) -> object:
    """`value` as the setting's type; `UserError` where it has another, or is none of those that the flag takes."""
    if typing.get_origin(kind) is list:
        (item,) = typing.get_args(kind)
        if type(value) is not list or any(type(one) is not item for one in value):
            raise UserError(f"{what} must be a list of {ITEMS[item]}, not {value!r:.60}.")
        return [_checked(one, item, options, f"each of {what}") for one in value]
    if kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        value = float(value)
    if type(value) is not kind:  # type and not isinstance: true is no number
        raise UserError(f"{what} must be {WORDS[kind]}, not {value!r:.60}.")
    if "choices" in options and value not in options["choices"]:
        raise UserError(f"{what} must be one of {', '.join(options['choices'])}, not {value!r:.60}.")
    if isinstance(value, str) and not is_argument(value):
        raise UserError(f"{what} holds a zero byte or half a character, which no name has: {value!r:.60}.")
    within = options.get("within", ANY)
    if isinstance(value, (int, float)) and kind is not bool and not usable(value, within):
        raise UserError(f"{what} must be {number_words(kind, within)}, not {value!r:.60}.")
    return value
