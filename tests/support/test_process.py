"""How a command begins and ends, as its shell sees it: exit codes, signals at any moment, streams that take no more."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

from support import FAILED, UserError, process
from support.process import _tell, missing_package, notify, outcome_of, stop_requests

POSIX = pytest.mark.skipif(
    os.name != "posix" or not os.path.exists("/dev/full"), reason="signals and descriptors as Linux has them"
)
ONE_A_SIGNAL = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", 1)])
START = "import time\nfrom support.process import *\nbegin()\n"


def heeding() -> None:
    """In a child: stop signals do what they do in a terminal, though the tests may run where they are ignored."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def start(code: str, *, env: dict[str, str] | None = None, preexec_fn: Callable = heeding) -> subprocess.Popen[str]:
    """A command made of `code`, which has printed its first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", START + code], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=env, preexec_fn=preexec_fn,
    )  # fmt: skip
    assert process.stdout.readline() == "here\n"
    return process


def end_of(process: subprocess.Popen) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    return process.returncode, out, err


def ran(code: str, shell: str = "", **options) -> subprocess.CompletedProcess:
    """A command made of `code`, run by bash with what `shell` does to its streams."""
    command = ["bash", "-c", f'"$0" -c "$1" {shell}', sys.executable, START + code]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, timeout=PATIENCE_S, **options)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UserError("no such thing"), ("no such thing", 2)),
        (UserError("no camera", exit_code=FAILED), ("no camera", 1)),
        (KeyboardInterrupt(), ("", 130)),
        (SystemExit(2), ("", 2)),
        (OSError(errno.ENOSPC, "No space left on device", "a.csv"), ("a.csv: No space left on device.", 1)),
        (ModuleNotFoundError("x", name="torch"), ("this command needs the package torch, which", 1)),
        (MemoryError(), ("there is not enough memory", 1)),
        (ModuleNotFoundError("x", name="pipeline"), None),  # a fault of ours
        (ModuleNotFoundError("x", name="torch.part"), None),
        (ImportError("x"), None),
        (ValueError("x"), None),
    ],
)
def test_what_is_told_of_an_error(error, told):
    outcome = outcome_of(error)
    if told is None:
        assert outcome is None
    else:
        assert outcome is not None
        assert outcome[0].startswith(told[0])
        assert bool(outcome[0]) is bool(told[0])
        assert outcome[1] == told[1]


def test_a_missing_package_is_had_from_the_list_that_names_it(monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(ROOT / ".venv"))
    for name, file in (("cv2", "-live"), ("PIL", "-live"), ("av", "-live"), ("torch", ""), ("onnx", ""), ("x", "")):
        advice = f"the package {name}, which is not installed; run pip install -r requirements{file}.txt."
        assert missing_package(name) == f"this command needs {advice}"


def test_a_package_that_another_python_lacks_is_in_the_projects_own(tmp_path, monkeypatch):
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(process, "ROOT", tmp_path)
    python = tmp_path / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    assert missing_package("x", command="live.py") == (
        f"live.py needs the package x, which is not installed in {sys.prefix}; start it with {python}."
    )


def test_what_fails_while_files_are_finished_does_not_hide_what_ended_the_command(capsys):
    def fail(sentence: str) -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise UserError(sentence, exit_code=FAILED) from error

    def command() -> None:
        with contextlib.ExitStack() as opened:
            opened.callback(fail, "the report is not written")
            opened.callback(fail, "the log cannot be finished")
            fail("the log ends here")

    with pytest.raises(UserError) as error:
        command()
    assert _tell(error.value) == FAILED
    assert capsys.readouterr().err.splitlines() == [
        "error: the log ends here", "error: the log cannot be finished", "error: the report is not written"
    ]  # fmt: skip


@POSIX
@ONE_A_SIGNAL
def test_a_command_that_still_loads_ends_at_once(number):
    process = start("try:\n    print('here', flush=True); time.sleep(60)\nfinally:\n    print('closed')\n")
    process.send_signal(number)
    assert end_of(process) == (128 + number, "", "")


@POSIX
@ONE_A_SIGNAL
def test_a_command_that_works_closes_what_is_open(number):
    code = """
def main():
    try:
        with stop_at_once():
            pass
        print('here', flush=True)
        time.sleep(60)
    finally:
        print('closed')
run_and_exit(main)
"""
    process = start(code)
    process.send_signal(number)
    assert end_of(process) == (128 + number, "closed\n", "")


LOOP = """
def main():
    with stop_requests('stopping') as stop_requested:
        print('here', flush=True)
        while not stop_requested():
            time.sleep(0.01)
        print('asked', flush=True)
        for _ in range(int(input())):
            time.sleep(0.01)
    print('finished')
run_and_exit(main)
"""


@POSIX
@ONE_A_SIGNAL
def test_a_loop_is_asked_to_stop_and_finishes(number):
    process = start(LOOP)
    process.send_signal(number)
    assert process.stdout.readline() == "asked\n"
    if number != signal.SIGINT:
        process.send_signal(number)  # `timeout` and closing terminals send theirs twice
    process.stdin.write("1\n")
    process.stdin.flush()
    assert end_of(process) == (128 + number, "finished\n", "\nstopping\n")


TOGETHER = """
def main():
    with stop_requests('stopping') as stop_requested:
        print('here', flush=True)
        signals = [signal.SIGINT, signal.SIGTERM]
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        for number in signals:
            os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        print(stop_requested(), input())
run_and_exit(main)
"""


@POSIX
def test_of_two_signals_that_come_together_the_second_is_ignored_without_a_word():
    process = start(TOGETHER)
    process.stdin.write("1\n")
    process.stdin.flush()
    assert end_of(process) == (128 + signal.SIGINT, "True 1\n", "\nstopping\n")


@POSIX
@pytest.mark.parametrize(("under_torchrun", "out"), [(False, ""), (True, "finished\n")])
def test_a_second_ctrl_c_leaves_at_once_but_torchrun_sends_each_twice(under_torchrun, out):
    environment = {key: value for key, value in os.environ.items() if key != "LOCAL_RANK"}
    process = start(LOOP, env=environment | ({"LOCAL_RANK": "0"} if under_torchrun else {}))
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGINT)
    if under_torchrun:
        process.stdin.write("1\n")
        process.stdin.flush()
    assert end_of(process) == (130, out, "\nstopping\n")


@POSIX
def test_what_nohup_has_it_ignore_stays_ignored():
    def nohup() -> None:
        heeding()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    process = start(LOOP, preexec_fn=nohup)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    process.stdin.write("1\n")
    process.stdin.flush()
    assert end_of(process)[0] == 128 + signal.SIGTERM


def test_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with stop_requests() as stop_requested:
        assert signal.getsignal(signal.SIGTERM) is not before
        assert not stop_requested()
    assert signal.getsignal(signal.SIGTERM) is before


@POSIX
@pytest.mark.parametrize(
    ("code", "shell", "expected"),
    [
        ("run_and_exit(lambda: print('x'))", ">/dev/full", (1, "", "error: cannot write to standard output: No space")),
        ("run_and_exit(lambda: [print('x' * 9999) for _ in range(9)] and 0)", ">/dev/full",
         (1, "", "error: cannot write to standard output: No space")),
        ("run_and_exit(lambda: print('x'))", ">&-", (0, "", "")),
        ("run_and_exit(lambda: print('x') or notify('y'))", "2>&-", (0, "x\n", "")),
        ("run_and_exit(lambda: print('x') or notify('y'))", "2>/dev/full", (0, "x\n", "")),
        ("def main(): raise UserError('y')\nrun_and_exit(main)", "2>/dev/full", (2, "", "")),
        ("run_and_exit(lambda: [print('x' * 9999) for _ in range(99)] and 0)", "| head -c 1; exit ${PIPESTATUS[0]}",
         (0, "x", "")),
        ("assert open('/dev/null').fileno() > 2\nrun_and_exit(lambda: 0)", "<&- >&- 2>&-", (0, "", "")),
    ],
)  # fmt: skip
def test_streams_that_take_no_more(code, shell, expected):
    done = ran(code, shell)
    returncode, out, err = expected
    assert (done.returncode, done.stdout) == (returncode, out), done.stderr
    assert done.stderr.startswith(err)
    assert done.stderr.count("\n") == bool(err)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_names_that_a_stream_cannot_show(encoding):
    code = "run_and_exit(lambda: print('ü Ж \\udcff') or notify('ü Ж \\udcff'))"
    done = subprocess.run(
        [sys.executable, "-c", START + code], cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0
    expected = "ü Ж \udcff".encode(encoding, errors="backslashreplace")
    assert (done.stdout.strip(), done.stderr.strip()) == (expected, expected)


def commands() -> list[list[str]]:
    """One command of each folder: those that import torch first are among them."""
    files = sorted(path for path in ROOT.glob("*/**/*.py") if "run_and_exit(main)" in path.read_text(encoding="utf-8"))
    by_folder = {path.parent: path for path in files if not path.is_relative_to(ROOT / "tests")}
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in by_folder.values()]
    return [["live.py"], ["train.py"], *(["-m", name.removesuffix(".__main__")] for name in names)]


@pytest.mark.long
@pytest.mark.thorough
def test_commands_say_what_is_not_installed(tmp_path):
    """Without torch, which not everybody installs: --help, or one sentence."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no', name='torch')\n")
    assert len(commands()) > 8
    codes = set()
    for command in commands():
        done = subprocess.run(
            [sys.executable, *command, "--help"], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        told = "error: this command needs the package torch, which is not installed; run pip install -r requirements"
        if done.returncode:
            assert (done.returncode, done.stdout, done.stderr.count("\n")) == (FAILED, "", 1), (command, done.stderr)
            assert done.stderr.startswith(told), command
        else:
            assert done.stdout.startswith("usage: "), command
        codes.add(done.returncode)
    assert codes == {0, FAILED}


def test_what_a_terminal_would_act_on_is_shown_as_its_code(capsys):
    notify("a name \x1b[2J\x07\x9b of\ntwo lines\té")
    assert capsys.readouterr().err == "a name \\x1b[2J\\x07\\x9b of\ntwo lines\té\n"


@POSIX
def test_unbuffered_output_stays_so():
    """`python -u`: a line is there as soon as it is printed, also in a pipe."""
    code = "import sys; from support import process; process.begin(); print('a'); input()"
    with subprocess.Popen([sys.executable, "-u", "-c", code], cwd=ROOT, stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout
        ready, _, _ = select.select([child.stdout], [], [], PATIENCE_S)
        child.kill()
    assert ready


@POSIX
def test_processes_that_work_for_another_get_no_stop_signal():
    code = (
        "import os, signal, subprocess, sys; from support.process import ignore_stop_signals, signals_blocked\n"
        "with signals_blocked():\n"
        "    code = 'import os, signal; os.kill(os.getpid(), signal.SIGINT); print(1)'\n"
        "    subprocess.run([sys.executable, '-c', code], check=True)\n"
        "ignore_stop_signals()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "print(2)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.stdout, done.returncode) == ("1\n2\n", 0)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux can bind a process to cores")
def test_cores_that_it_may_not_use_do_not_count():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    code += "from support.process import usable_cores; print(usable_cores())"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout == b"1\n"
