"""Flags from a dataclass, errors in a sentence, the device."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import re
import tomllib

import pytest
from helpers.paths import ROOT

from support import FAILED, VERSION, UserError, command, run_and_exit, setting
from support.cli import add_flags, parse_settings


@dataclasses.dataclass
class Settings:
    max_faces: int = setting(5, "how many")
    mirror: bool | None = setting(None, "as a mirror")
    show: bool = setting(True, "a window")
    file: str | None = setting(None, "where", metavar="FILE")
    sizes: list[int] = setting([1, 2], "sides")
    kind: str = setting("a", "which", choices=["a", "b"])
    share: float = setting(0.5, "how much", within=(0, 1))
    resize: bool = setting(True, "small first")


def parsed(*argv: str) -> Settings:
    parser = argparse.ArgumentParser()
    add_flags(parser, Settings)
    return Settings(**vars(parser.parse_args(argv)))


def test_flags_carry_defaults_types_and_negation():
    assert parsed() == Settings()
    assert parsed(
        "--max-faces", "7", "--no-show", "--mirror", "--file", "x", "--sizes", "3", "4", "--kind", "b"
    ) == Settings(max_faces=7, mirror=True, show=False, file="x", sizes=[3, 4], kind="b")


def test_a_bad_flag_is_refused_with_2():
    for argv in (["--max-faces", "many"], ["--kind", "c"], ["--unknown"]):
        with pytest.raises(SystemExit) as leave:
            parsed(*argv)
        assert leave.value.code == 2


def test_help_sets_the_command_in_a_line_of_its_own(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    called = "python -m a.long.name --weights F --data-path DIR --out DIR"
    with pytest.raises(SystemExit):
        command(Settings, lambda settings: 0, prog="x.py", doc=f"What it is for, in words: {called}\n\nIn:  a.")(["-h"])
    assert f"What it is for, in words:\n\n    {called}\n\n" in capsys.readouterr().out


def test_a_bad_flag_is_one_sentence(capsys):
    with pytest.raises(SystemExit) as leave:
        command(Settings, lambda settings: 0, prog="x.py", doc=None)(["--kind", "c\x1b"])
    assert leave.value.code == 2
    said = capsys.readouterr().err
    assert re.fullmatch(r"error: argument --kind: invalid choice.*; x\.py --help lists what it takes\.\n", said)


def test_a_number_may_have_limits(capsys):
    assert [parsed("--share", text).share for text in ("0", "1", "0.25")] == [0, 1, 0.25]
    for text in ("-0.1", "1.01", "nan", "half"):
        with pytest.raises(SystemExit):
            parsed(f"--share={text}")
        assert f"--share: wanted a number from 0 to 1, not '{text}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code"),
    [(UserError("x"), 2), (UserError("x", exit_code=FAILED), 1), (KeyboardInterrupt(), 130), (None, 0)],
)
def test_run_and_exit_turns_errors_into_exit_codes(raised, code, capsys):
    def main():
        if raised:
            raise raised

    with pytest.raises(SystemExit) as leave:
        run_and_exit(main)
    assert leave.value.code == code
    assert capsys.readouterr().err == ("error: x\n" if isinstance(raised, UserError) else "")


@pytest.mark.parametrize(
    ("name", "refused", "message"),
    [
        ("torch", UserError, r"^x\.py needs the package torch, which is not installed"),
        ("torch.part", ModuleNotFoundError, r"No module named 'torch\.part'"),  # another version of it
    ],
)
def test_a_package_that_is_not_installed_is_a_sentence(name, refused, message):
    def run(settings):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    with pytest.raises(refused, match=message) as error:
        command(Settings, run, prog="x.py", doc="")([])
    assert getattr(error.value, "exit_code", FAILED) == FAILED


def test_nothing_is_to_leave_the_machine():
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_version_is_that_of_pyproject():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


# --config


@dataclasses.dataclass
class RunSettings:
    epochs: int = setting(5, "passes", within=(1, math.inf))
    lr: float = setting(0.1, "rate")
    share: float = setting(0.0, "share", within=(0, 1))
    resize: bool = setting(True, "small first")
    data_path: str = setting("raw", "folder", metavar="DIR")
    kind: str = setting("a", "which", choices=["a", "b"])
    teacher: list[str] = setting([], "files")


def configured(*argv: str) -> RunSettings:
    return parse_settings(argparse.ArgumentParser(), RunSettings, list(argv))


def test_the_command_line_wins_over_the_file_and_the_file_over_defaults(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('epochs = 7\nlr = 1\nresize = false\ndata-path = "x"\nkind = "b"\nteacher = ["p", "q"]\n')
    expected = RunSettings(epochs=7, lr=1.0, resize=False, data_path="x", kind="b", teacher=["p", "q"])
    assert configured("--config", str(file)) == expected
    assert isinstance(configured("--config", str(file)).lr, float)
    over = configured("--epochs", "9", "--conf", str(file), "--resize", "--teacher", "r")  # argparse takes a prefix
    assert over == dataclasses.replace(expected, epochs=9, resize=True, teacher=["r"])
    assert configured() == RunSettings()


def test_a_home_folder_is_meant_where_no_shell_has_put_it(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "run.toml").write_text('teacher = ["~/a", "b~/c", "~d"]')
    settings = configured("--config=~/run.toml", "--data-path=~/x")
    assert settings.data_path == str(tmp_path) + "/x"
    assert settings.teacher == [str(tmp_path) + "/a", "b~/c", "~d"]
    assert configured("--data-path=~").data_path == str(tmp_path)


def test_a_home_folder_that_nobody_has_is_refused(monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where HOME is not set and no user is known
    with pytest.raises(UserError, match="there is no home folder for ~/x; set HOME"):
        configured("--data-path=~/x")


def test_what_a_run_wrote_repeats_it(tmp_path):
    settings = RunSettings(epochs=2, share=0.25, teacher=["p"])
    (tmp_path / "settings.json").write_text(json.dumps(dataclasses.asdict(settings)))
    assert configured("--config", str(tmp_path / "settings.json")) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 7", "no setting called epoch; did you mean epochs"),
        ("zzz = 7", "no setting called zzz; --help"),
        ('epochs = "7"', "epochs must be a whole number, not '7'"),
        ("epochs = 7.0", "epochs must be a whole number, not 7.0"),
        ("epochs = true", "epochs must be a whole number, not True"),
        ("epochs = 0", "epochs must be a whole number at least 1 and at most 1,000,000,000, not 0"),
        ("epochs = 99999999999999999999", "at most 1,000,000,000, not 9999"),
        (f"share = 1{'0' * 400}", "share must be a number, not 1000"),
        ("share = inf", "share must be a number from 0 to 1, not inf"),
        (f"share = {'[' * 50_000}", "cannot be read as toml"),
        ("share = 1.5", "share must be a number from 0 to 1, not 1.5"),
        ("share = nan", "share must be a number from 0 to 1, not nan"),
        ("resize = 1", "resize must be true or false, not 1"),
        ('kind = "c"', "kind must be one of a, b, not 'c'"),
        ('teacher = ["a", ""]', "teacher is empty; leave it out"),
        ("teacher = [1]", "teacher must be a list of texts"),
        ('teacher = "p"', "teacher must be a list of texts"),
        ("[optimiser]\nlr = 1", "no setting called optimiser"),
        ("epochs: 7", "cannot be read as toml"),
    ],
)
def test_a_bad_file_is_told_with_its_name_and_the_key(tmp_path, text, message):
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        configured("--config", str(tmp_path / "bad.toml"))
    assert "bad.toml" in str(error.value)


def test_what_a_variable_of_the_shell_left_empty_is_refused_where_empty_means_nothing(capsys):
    for flags in (["--teacher", ""], ["--teacher", "a", ""]):
        with pytest.raises(SystemExit) as leave:
            configured(*flags)
        assert leave.value.code == 2
        assert "argument --teacher: wanted a text, not an empty one" in capsys.readouterr().err
    dataset = dataclasses.make_dataclass("Named", [("dataset", str, setting("", "recognised where left out"))])
    assert parse_settings(argparse.ArgumentParser(), dataset, ["--dataset", ""]).dataset == ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_may_be_as_windows_writes_them(tmp_path, encoding):
    """Notepad begins them with a mark, PowerShell's > writes UTF-16; lines end in two characters."""
    for name, text in (
        ("RUN.TOML", 'epochs = 7\r\ndata-path = "é"\r\n'),
        ("x.Json", '{"epochs": 7, "data_path": "é"}'),
    ):
        (tmp_path / name).write_bytes(text.encode(encoding))
        assert configured("--config", str(tmp_path / name)) == RunSettings(epochs=7, data_path="é")


@pytest.mark.parametrize("text", ["a\0b", "\ud800", ["a", "\0"]])
def test_texts_that_no_command_line_could_hold_are_refused(tmp_path, text):
    key = "teacher" if isinstance(text, list) else "data_path"
    (tmp_path / "bad.json").write_text(json.dumps({key: text}))
    with pytest.raises(UserError, match=f"{key} holds a zero byte or half a character"):
        configured("--config", str(tmp_path / "bad.json"))
    (tmp_path / "good.json").write_text(json.dumps({"data_path": os.fsdecode(b"a\xff")}))
    assert configured("--config", str(tmp_path / "good.json")).data_path == "a\udcff"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(UserError, match="is a folder, a device or a pipe"):
        configured("--config", str(tmp_path / "pipe.toml"))


def test_what_is_no_such_file_is_refused(tmp_path):
    (tmp_path / "bad.json").write_text("[1]")
    with pytest.raises(UserError, match="must hold settings by name"):
        configured("--config", str(tmp_path / "bad.json"))
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read as json"):
        configured("--config", str(tmp_path / "bytes.json"))
    with pytest.raises(UserError, match="cannot read"):
        configured("--config", str(tmp_path / "none.toml"))
    with pytest.raises(UserError, match=r"takes a \.toml or \.json file"):
        configured("--config", "run.yaml")


def test_an_argument_is_not_taken_from_a_file(tmp_path):
    @dataclasses.dataclass
    class Listed:
        sources: list[str] = setting([], "films", positional=True, nargs="+")
        out: str = setting("a", "folder")

    (tmp_path / "run.toml").write_text('out = "b"\nsources = ["x"]\n')
    with pytest.raises(UserError, match=r"run\.toml: sources is named on the command line; leave it out of the file"):
        parse_settings(argparse.ArgumentParser(), Listed, ["y", "--config", str(tmp_path / "run.toml")])
    (tmp_path / "run.toml").write_text('out = "b"\n')
    assert parse_settings(argparse.ArgumentParser(), Listed, ["y", "--config", str(tmp_path / "run.toml")]) == Listed(
        ["y"], "b"
    )
