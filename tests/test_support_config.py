"""--config: what the command line leaves out comes from the file; a bad file is told in a sentence."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math

import pytest

from support import UserError, setting
from support.config import parse_settings


@dataclasses.dataclass
class Settings:
    epochs: int = setting(5, "passes", within=(1, math.inf))
    lr: float = setting(0.1, "rate")
    share: float = setting(0.0, "share", within=(0, 1))
    grow: bool = setting(True, "small first")
    data_path: str = setting("raw", "folder", metavar="DIR")
    kind: str = setting("a", "which", choices=["a", "b"])
    teacher: list[str] = setting([], "files")


def parsed(*argv: str) -> Settings:
    return parse_settings(argparse.ArgumentParser(), Settings, list(argv))


def test_the_command_line_wins_over_the_file_and_the_file_over_defaults(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('epochs = 7\nlr = 1\ngrow = false\ndata-path = "x"\nkind = "b"\nteacher = ["p", "q"]\n')
    expected = Settings(epochs=7, lr=1.0, grow=False, data_path="x", kind="b", teacher=["p", "q"])
    assert parsed("--config", str(file)) == expected
    assert isinstance(parsed("--config", str(file)).lr, float)
    over = parsed("--epochs", "9", "--conf", str(file), "--grow", "--teacher", "r")  # argparse takes a flag's beginning
    assert over == dataclasses.replace(expected, epochs=9, grow=True, teacher=["r"])
    assert parsed() == Settings()


def test_what_a_run_wrote_repeats_it(tmp_path):
    settings = Settings(epochs=2, share=0.25, teacher=["p"])
    (tmp_path / "settings.json").write_text(json.dumps(dataclasses.asdict(settings)))
    assert parsed("--config", str(tmp_path / "settings.json")) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 7", "no setting called epoch; did you mean epochs"),
        ("zzz = 7", "no setting called zzz; --help"),
        ('epochs = "7"', "epochs must be a whole number, not '7'"),
        ("epochs = 7.0", "epochs must be a whole number, not 7.0"),
        ("epochs = true", "epochs must be a whole number, not True"),
        ("epochs = 0", "epochs must be a whole number at least 1, not 0"),
        ("share = 1.5", "share must be a number from 0 to 1, not 1.5"),
        ("share = nan", "share must be a number from 0 to 1, not nan"),
        ("grow = 1", "grow must be true or false, not 1"),
        ('kind = "c"', "kind must be one of a, b, not 'c'"),
        ("teacher = [1]", "teacher must be a list of texts"),
        ('teacher = "p"', "teacher must be a list of texts"),
        ("[optimiser]\nlr = 1", "no setting called optimiser"),
        ("epochs: 7", "cannot be read as toml"),
    ],
)
def test_a_bad_file_is_told_with_its_name_and_the_key(tmp_path, text, message):
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        parsed("--config", str(tmp_path / "bad.toml"))
    assert "bad.toml" in str(error.value)


def test_what_is_no_such_file_is_refused(tmp_path):
    (tmp_path / "bad.json").write_text("[1]")
    with pytest.raises(UserError, match="must hold settings by name"):
        parsed("--config", str(tmp_path / "bad.json"))
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read as json"):
        parsed("--config", str(tmp_path / "bytes.json"))
    with pytest.raises(UserError, match="cannot read"):
        parsed("--config", str(tmp_path / "none.toml"))
    with pytest.raises(UserError, match=r"takes a \.toml or \.json file"):
        parsed("--config", "run.yaml")
