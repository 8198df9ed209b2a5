"""Every number that a command takes has a range: what lies outside is one sentence and exit code 2, not a traceback."""

from __future__ import annotations

import importlib
import pkgutil
import typing
from dataclasses import fields

import pytest

import data
import evaluation
import models
import pipeline
import retinaface
import train
from support import UserError
from support.cli import Parser as CliParser
from support.cli import kinds_of, parse_settings, read_config


def commands() -> dict[str, type]:
    """The settings of every command, by its module."""
    found: dict[str, type] = {"train": train.Settings}
    for package in (data, evaluation, models, pipeline, retinaface):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            settings = getattr(importlib.import_module(module.name), "Settings", None)
            if settings is not None:
                found[settings.__module__] = settings
    return found


COMMANDS = commands()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_number_has_a_range(name):
    kinds = kinds_of(COMMANDS[name])
    numbers = [
        field
        for field in fields(COMMANDS[name])
        if {int, float} & {kinds[field.name], *typing.get_args(kinds[field.name])}
    ]
    assert [field.name for field in numbers if "within" not in field.metadata] == []


def test_the_walk_finds_the_commands():
    assert {
        "models.training.settings",
        "evaluation.explanations.report",
        "evaluation.speed.benchmark",
    } <= COMMANDS.keys()


@pytest.mark.parametrize("value", ["-1", "nan", "1e300", "x"])
def test_numbers_of_a_list_have_the_range_too(tmp_path, capsys, value):
    settings = COMMANDS["evaluation.speed.benchmark"]
    with pytest.raises(SystemExit, match="2"):
        parse_settings(CliParser(prog="c"), settings, ["--faces", "1", value])
    assert "argument --faces: wanted a whole number from 0 to 1000" in capsys.readouterr().err
    file = tmp_path / "c.json"
    file.write_text('{"faces": [1, -1]}')
    with pytest.raises(UserError, match=r"each of .*faces must be a whole number from 0 to 1000, not -1"):
        read_config(file, settings)
    file.write_text('{"faces": [1, 20]}')
    assert read_config(file, settings) == {"faces": [1, 20]}
