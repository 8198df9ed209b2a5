"""Settings from a file: what the command line leaves out, --config FILE says.

In:  a settings dataclass (see support.door), argv, a .toml or .json file whose keys are the flags' names.
Out: the settings. The command line wins over the file, the file over the defaults.

The settings.json of an earlier run is such a file, so `--config runs/x/settings.json --out runs/y` repeats that run.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import json
import tomllib
import typing
from pathlib import Path

from support.door import add_flags, kinds_of, within_words
from support.errors import UserError

READERS = {".toml": tomllib.loads, ".json": json.loads}
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list of texts"}


def parse_settings(parser: argparse.ArgumentParser, settings_class: type, argv: list[str] | None) -> typing.Any:
    """`settings_class` from `argv` (None: the command line) and the file that its --config names, if it names one.

    Raises `UserError` where the file cannot be read, has a key that is no flag, or a value that the flag does not take.
    """
    add_flags(parser, settings_class)
    parser.add_argument("--config", metavar="FILE", help="settings as .toml or .json, such as a run's settings.json")
    given = parser.parse_args(argv)
    if given.config:
        parser.set_defaults(**read_config(given.config, settings_class))
        given = parser.parse_args(argv)
    return settings_class(**{name: value for name, value in vars(given).items() if name != "config"})


def read_config(path: str | Path, settings_class: type) -> dict[str, object]:
    """The values of a .toml or .json file by the names of the settings, each checked as its flag would be."""
    path = Path(path)
    if path.suffix not in READERS:
        raise UserError(f"--config takes a .toml or .json file, not {path}.")
    try:
        table = READERS[path.suffix](path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}.") from error
    except ValueError as error:  # of both readers, and of bytes that are no text
        raise UserError(f"{path} cannot be read as {path.suffix[1:]}: {error}.") from error
    if not isinstance(table, dict):
        raise UserError(f"{path} must hold settings by name, not {table!r:.60}.")
    fields = {field.name: field for field in dataclasses.fields(settings_class)}
    kinds, values = kinds_of(settings_class), {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f"did you mean {near[0]}?" if near else "--help lists them."
            raise UserError(f"{path}: there is no setting called {key}; {hint}")
        values[name] = _checked(value, kinds[name], fields[name].metadata, f"{path}: {key}")
    return values


def _checked(value: object, kind: type, options: typing.Mapping, what: str) -> object:
    """`value` as the setting's type; `UserError` where it has another, or is none of those that the flag takes."""
    plain = typing.get_origin(kind) or kind
    if plain is float and type(value) is int:
        value = float(value)
    texts = plain is not list or all(type(item) is str for item in value if isinstance(value, list))
    if type(value) is not plain or not texts:  # type and not isinstance: true is no number
        raise UserError(f"{what} must be {WORDS[plain]}, not {value!r}.")
    if "choices" in options and value not in options["choices"]:
        raise UserError(f"{what} must be one of {', '.join(options['choices'])}, not {value!r}.")
    low, high = options.get("within", (None, None))
    if low is not None and not low <= value <= high:
        raise UserError(f"{what} must be {WORDS[plain]} {within_words(low, high)}, not {value!r}.")
    return value
