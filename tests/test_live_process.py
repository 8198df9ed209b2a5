"""live.py as the system treats it: stop signals at any moment, terminals that close, full disks, bare environments."""

from __future__ import annotations

import csv
import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import cv2
import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

POSIX = pytest.mark.skipif(
    os.name != "posix", reason="Windows sends no signal to one process, and has no terminal files"
)
FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
WITHOUT = ("DISPLAY", "WAYLAND_DISPLAY", "PYTHONUNBUFFERED")  # with the last a full disk stops the first line
NO_SCREEN = {key: value for key, value in os.environ.items() if key not in WITHOUT}


def default_signals() -> None:
    """In a child: Ctrl-C does what it does in a terminal, though a test run in the background ignores it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def recording(
    folder: Path, stdout: IO | int, *, stderr: IO | int = subprocess.PIPE, preexec_fn: Callable = default_signals
) -> subprocess.Popen[bytes]:
    """live.py, which records and logs the sample into `folder` until it is stopped."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "live.py"), "--device", "cpu", "--source", "sample", "--no-show",
         "--save", "o.mp4", "--log", "o.csv"],
        cwd=folder, env=NO_SCREEN, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, preexec_fn=preexec_fn,
    )  # fmt: skip


def assert_complete(folder: Path) -> None:
    """Film and log are there, hold the same frames, and nothing else is left."""
    rows = list(csv.DictReader((folder / "o.csv").read_text().splitlines()))
    film = cv2.VideoCapture(str(folder / "o.mp4"))
    frames = int(film.get(cv2.CAP_PROP_FRAME_COUNT))
    assert frames > 0
    assert abs(frames - 1 - max(int(row["frame"]) for row in rows)) <= 1
    assert film.read()[0]
    assert sorted(path.name for path in folder.iterdir()) == ["o.csv", "o.mp4"]


@POSIX
@pytest.mark.parametrize("door", ["live.py", "train.py"])
def test_ctrl_c_in_the_first_import_ends_without_a_traceback(tmp_path, door):
    interrupt = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"
    (tmp_path / "dataclasses.py").write_text(interrupt)  # found before Python's own
    done = subprocess.run(
        [sys.executable, str(ROOT / door)], env=NO_SCREEN | {"PYTHONPATH": str(tmp_path)}, capture_output=True,
        timeout=PATIENCE_S, preexec_fn=default_signals,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


@pytest.mark.long
@POSIX
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_finishes_the_files(tmp_path, stop):
    process = recording(tmp_path, subprocess.PIPE)
    try:
        for _ in range(20):
            assert process.stdout.readline()
        process.send_signal(stop)
        _, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 128 + stop, err
    assert b"Traceback" not in err
    assert_complete(tmp_path)


@pytest.mark.long
@POSIX
def test_a_terminal_shows_a_bar_and_whole_lines_and_when_it_closes_files_are_finished(tmp_path):
    import fcntl
    import pty
    import termios

    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("4H", 24, 120, 0, 0))  # rows, columns

    def in_terminal() -> None:
        default_signals()
        os.setsid()
        fcntl.ioctl(inside, termios.TIOCSCTTY, 0)

    process = recording(tmp_path, inside, stderr=inside, preexec_fn=in_terminal)
    os.close(inside)
    shown = b""
    try:
        while shown.count(b"looks like") < 60 or b"frames/s" not in shown:
            shown += os.read(terminal, 4096)
        os.close(terminal)  # the system sends SIGHUP, and nothing can be written any more
        process.wait(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGHUP
    assert_complete(tmp_path)
    assert re.search(r"\| \d+/600 \[", shown.decode())  # the bar: frames done, frames of the sample
    lines = [line.split("\r")[-1] for line in shown.decode().replace("\r\n", "\n").split("\n")[:-1]]
    told = [line for line in lines if "looks like" in line]
    assert len(told) >= 59
    for line in told:
        assert re.fullmatch(r" *[\d.]+ s  person \d+  looks like \w+ \d+ %  \[[-\d ]+\]", line)


@pytest.mark.long
@POSIX
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)])
@pytest.mark.parametrize(
    ("package", "argv"),
    [
        ("cv2", ["live.py", "--source", "sample", "--no-show", "--log", "o.csv"]),  # in the main thread
        ("onnxruntime", ["live.py", "--source", "sample", "--no-show", "--log", "o.csv"]),  # in the loading thread
        ("torch", ["train.py", "--data-path", "data"]),
        ("numpy", ["-m", "evaluation.speed"]),  # before any function of ours runs
    ],
)
def test_a_stop_signal_while_a_package_is_imported_is_the_end(tmp_path, package, argv, stop):
    packages, folder = tmp_path / "packages", tmp_path / "folder"
    for path in (packages, folder):
        path.mkdir()
    (packages / f"{package}.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(60)\n")
    script = [str(ROOT / argv[0])] if argv[0] != "-m" else argv[:2]
    process = subprocess.Popen(
        [sys.executable, *script, *argv[len(script):]], cwd=folder, preexec_fn=default_signals,
        env=NO_SCREEN | {"PYTHONPATH": f"{packages}{os.pathsep}{ROOT}"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == b"here\n"
        process.send_signal(stop)
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert (process.returncode, out) == (128 + stop, b"")
    assert b"Traceback" not in err
    assert not list(folder.iterdir())


@pytest.mark.thorough
@pytest.mark.long
@FULL
def test_a_full_disk_behind_stdout_is_one_sentence_and_files_are_finished(tmp_path):
    with open("/dev/full", "w") as full:
        process = recording(tmp_path, full)
        try:
            _, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 1
    assert err.decode().splitlines()[-1] == "error: cannot write to standard output: No space left on device."
    assert_complete(tmp_path)


@pytest.mark.long
def test_it_runs_isolated_without_docstrings_and_without_a_home(tmp_path, portrait):
    """python -I leaves its folder out of the path; a missing HOME makes libraries write to a folder called ~."""
    name = os.fsdecode(b"b\xc3\xbc \xff.png") if sys.platform == "linux" else "bü.png"
    with open(tmp_path / name, "wb") as file:
        file.write(cv2.imencode(".png", np.ascontiguousarray(portrait[..., ::-1]))[1].tobytes())
    done = subprocess.run(
        [sys.executable, "-I", "-OO", str(ROOT / "live.py"), "--source", name, "--no-show"], cwd=tmp_path,
        env={key: value for key, value in NO_SCREEN.items() if key != "HOME"} | {"LC_ALL": "C", "PYTHONUTF8": "0"},
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "looks like happiness" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == [name]
