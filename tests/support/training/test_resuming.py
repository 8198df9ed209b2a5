"""A resumed run takes its own settings."""

from __future__ import annotations

import dataclasses

import pytest

from support import command, setting
from support.training.resuming import holds_run, resumable, resume_arguments


@dataclasses.dataclass
class Settings:
    out: str = setting("runs/latest", "a folder")
    resume: bool = setting(False, "go on")


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "settings.json").write_text("{}")
    return tmp_path / "run"


@pytest.mark.parametrize("flags", [["--epochs", "60"], []])
def test_the_settings_of_the_run_are_added_behind_what_is_said(run, flags):
    argv = ["--out", str(run), *flags, "--resume"]
    assert resume_arguments(argv, out="runs/latest") == [
        *argv,
        "--config",
        str(run / "settings.json"),
        "--out",
        str(run),
    ]
    assert resumable(lambda given: len(given), out="runs/latest")(argv) == len(argv) + 4


@pytest.mark.parametrize(
    "argv",
    [[], ["--out", "RUN"], ["--out", "RUN", "--no-resume"], ["--out", "RUN", "--resume", "--config", "x.json"],
     ["--out", "RUN/none", "--resume"], ["--resume", "--out"]],
)  # fmt: skip
def test_other_command_lines_stay_as_they_are(run, argv):
    argv = [flag.replace("RUN", str(run)) for flag in argv]
    assert resume_arguments(argv, out="runs/latest") == argv


def test_the_settings_of_a_cross_validation_are_those_of_its_first_fold(tmp_path):
    settings = tmp_path / "run" / "fold1" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text("{}")
    argv = ["--out", str(tmp_path / "run"), "--resume"]
    assert resume_arguments(argv, out="runs/latest") == [
        *argv,
        "--config",
        str(settings),
        "--out",
        str(tmp_path / "run"),
    ]


def test_flags_are_written_out_so_that_none_is_missed(run):
    main = resumable(command(Settings, lambda settings: 0, prog="train.py", doc=""), out="runs/latest")
    assert main(["--out", str(run), "--resume"]) == 0
    for flag in ("--ou", "--resum"):  # which argparse would complete, and `resume_arguments` does not know
        with pytest.raises(SystemExit):
            main([flag, str(run)])


def test_a_state_that_was_not_finished_is_no_run(run):
    (run / ".last-x.partial.pt").touch()
    assert not holds_run(run)
    (run / "previous.pt").touch()
    assert holds_run(run)


def test_a_home_folder_behind_an_equals_sign(run, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(run.parent))
    assert resume_arguments(["--out=~/run", "--resume"], out="runs/latest")[2:] == [
        "--config",
        str(run / "settings.json"),
        "--out",
        str(run),
    ]
