"""Options: refused where they make no sense, and flags of live.py."""

from __future__ import annotations

import argparse

import pytest

from pipeline.options import PredictOptions, SessionOptions
from support import UserError
from support.cli import parse_settings


def test_an_unknown_explainer_is_refused_with_those_there_are():
    with pytest.raises(UserError, match=r"no explainer 'lime'; the explainers are gradcam, gradcam\+\+"):
        PredictOptions(explainer="lime")
    with pytest.raises(UserError, match=r"for no heatmaps live\.py takes --explainer none"):
        PredictOptions(explainer="lime")
    assert PredictOptions(explainer=None).explainer is None


@pytest.mark.parametrize("smooth_s", [-1, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(smooth_s):
    with pytest.raises(UserError, match="smooth_s is 0 or more seconds"):
        PredictOptions(smooth_s=smooth_s)


def test_help_says_what_the_mirror_changes(capsys):
    with pytest.raises(SystemExit):
        parse_settings(argparse.ArgumentParser(), SessionOptions, ["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "before it is analysed: boxes, crops and the log are of that (default: cameras yes, files no)" in told


def test_the_options_of_a_session_are_flags():
    argv = "--every 3 --alpha 0.7 --no-mirror --no-show --save a.mp4 --log b.csv --crops c --report d --report-faces"
    settings = parse_settings(argparse.ArgumentParser(), SessionOptions, [*argv.split(), "--quiet"])
    assert settings == SessionOptions(
        every=3, alpha=0.7, mirror=False, show=False, save="a.mp4", log="b.csv", crops="c", report="d",
        report_faces=True, quiet=True,
    )  # fmt: skip
    assert parse_settings(argparse.ArgumentParser(), SessionOptions, []) == SessionOptions()
