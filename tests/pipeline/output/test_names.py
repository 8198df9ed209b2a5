"""Names of what is made of each source: its own, safe on every system, shared by no two."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import ROOT

from data.sources.frame import Frame
from pipeline.output.names import OutputNames, free_name

PICTURE = np.zeros((4, 4, 3), np.uint8)


def named(name: str, path: str | None = None) -> Frame:
    return Frame(PICTURE, 0.0, 0, name, Path(path) if path else None)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("holiday/a b ü.jpg", "holiday/a b ü.jpg"),
        ("../../etc/a.jpg", "etc/a.jpg"),
        ("/etc/a.jpg", "etc/a.jpg"),
        ("C:\\a?.jpg", "C__a_.jpg"),
        ("a\nb.jpg", "a_b.jpg"),
        ("..", "source"),
        ("camera 0", "camera 0"),
        ("con.png", "con_.png"),
        ("Nul/LPT1", "Nul_/LPT1_"),
        ("console.png", "console.png"),
        ("rtsp://host/door", "rtsp_/host/door"),
    ],
)
def test_names_stay_below_the_folder_and_are_names_everywhere(name, safe):
    assert OutputNames().of(named(name)).as_posix() == safe


def test_two_files_of_one_name_get_two_and_one_keeps_its_own():
    names = OutputNames(lambda name, frame: Path(f"{name}.mp4") if name.suffix != ".mp4" else name)
    frames = [named("a.avi", "x/a.avi"), named("a.avi", "y/a.avi"), named("A.AVI", "z/A.AVI"), named("a.avi.mp4", "b")]
    found = [names.of(frame).name for frame in frames]
    assert found == ["a.avi.mp4", "a-2.avi.mp4", "A-3.AVI.mp4", "a.avi-2.mp4"]
    assert [names.of(frame).name for frame in reversed(frames)] == found[::-1]
    accents = [named("é.png", "c"), named("e\u0301.png", "d")]  # one letter, or a letter and an accent
    assert len({unicodedata.normalize("NFC", names.of(frame).name) for frame in accents}) == 2


def test_a_long_name_is_cut_to_what_file_systems_take(tmp_path):
    name = OutputNames().of(named("ä" * 127 + ".jpg"))
    (tmp_path / f"{name}_000000_10.png").touch()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are always UTF-8 or UTF-16")
def test_a_system_that_knows_only_ascii_gets_the_same_bytes(tmp_path):
    program = """
import numpy as np
from data.sources.frame import Frame
from pipeline.output.names import OutputNames
open(OutputNames().of(Frame(np.zeros((4, 4, 3), np.uint8), 0.0, 0, "f\\xefl \\u9854.txt")), "w").close()
"""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=os.environ | ascii_only, check=True)
    assert os.listdir(os.fsencode(tmp_path)) == ["fïl 顔.txt".encode()]


def test_free_names_are_not_taken(tmp_path):
    names = []
    for _ in range(3):
        names.append(free_name(tmp_path, ".png"))
        names[-1].touch()
    assert len(set(names)) == 3
    assert all(name.suffix == ".png" for name in names)
