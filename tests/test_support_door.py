"""Flags from a dataclass, errors in a sentence, the device."""

from __future__ import annotations

import argparse
import dataclasses
import tomllib

import pytest
import torch
from conftest import ROOT

from support import FAILED, VERSION, UserError, add_flags, pick_device, run_door, setting


@dataclasses.dataclass
class Settings:
    max_faces: int = setting(5, "how many")
    mirror: bool | None = setting(None, "as a mirror")
    show: bool = setting(True, "a window")
    file: str | None = setting(None, "where", metavar="FILE")
    sizes: list[int] = setting([1, 2], "sides")
    kind: str = setting("a", "which", choices=["a", "b"])
    share: float = setting(0.5, "how much", within=(0, 1))


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
def test_run_door_turns_errors_into_exit_codes(raised, code, capsys):
    def main():
        if raised:
            raise raised

    with pytest.raises(SystemExit) as leave:
        run_door(main)
    assert leave.value.code == code
    assert capsys.readouterr().err == ("error: x\n" if isinstance(raised, UserError) else "")


def test_pick_device():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    for wanted in ("gpu", "cuda:x", "cpu:1", ""):
        with pytest.raises(UserError, match="--device takes"):
            pick_device(wanted)
    with pytest.raises(UserError, match="has only") as error:
        pick_device("cuda:99")
    assert error.value.exit_code == FAILED


def test_version_is_that_of_pyproject():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
