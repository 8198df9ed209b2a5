"""Options: immutable, refused where they make no sense, and flags of live.py."""

from __future__ import annotations

import argparse
import dataclasses

import pytest

from pipeline.options import PredictOptions, SessionOptions
from support import UserError
from support.cli import parse_settings


def test_an_unknown_explainer_is_refused_with_those_there_are():
    with pytest.raises(UserError, match=r"no explainer 'lime'; the explainers are gradcam, gradcam\+\+"):
        PredictOptions(explainer="lime")
    assert PredictOptions(explainer=None).explainer is None


@pytest.mark.parametrize("options", [PredictOptions(), SessionOptions()])
def test_options_do_not_change(options):
    for field in dataclasses.fields(options):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(options, field.name, None)
    assert options == dataclasses.replace(options)


def test_the_options_of_a_session_are_flags():
    argv = "--every 3 --alpha 0.7 --no-mirror --no-show --save a.mp4 --log b.csv --quiet"
    settings = parse_settings(argparse.ArgumentParser(), SessionOptions, argv.split())
    assert settings == SessionOptions(
        every=3, alpha=0.7, mirror=False, show=False, save="a.mp4", log="b.csv", quiet=True
    )
    assert parse_settings(argparse.ArgumentParser(), SessionOptions, []) == SessionOptions()


@pytest.mark.parametrize(("flag", "value"), [("--every", "0"), ("--alpha", "1.1"), ("--alpha", "nan")])
def test_numbers_out_of_range_are_refused(flag, value, capsys):
    with pytest.raises(SystemExit) as leave:
        parse_settings(argparse.ArgumentParser(), SessionOptions, [flag, value])
    assert leave.value.code == 2
    assert flag in capsys.readouterr().err
