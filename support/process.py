"""How the process of a command begins and ends: stop signals, exit codes, what its streams cannot take.

In:  signals, exceptions, stdin, stdout and stderr as the shell gives them.
Out: exit codes: 0; 1 where something outside failed; 2 for bad input; 128 + its number where a signal ended the command
     (130 for Ctrl-C). What went wrong outside the program is one sentence on stderr, never a traceback.

A stop signal ends a command that is still loading at once, since there is nothing to finish. From `run_and_exit` on it
raises `KeyboardInterrupt`, and within `stop_requests` it only sets a flag. Ctrl-C a second time leaves at once.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import re
import signal
import sys
import threading
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

from support.words import FAILED, UserError, sentences_before

ROOT = Path(__file__).parents[1]
SCRIPTS = (ROOT / "live.py", ROOT / "train.py")
# Ctrl-C, what `kill` and the system send, a terminal that closes, and Ctrl-Break or a console that closes on Windows;
# without those that whoever started the process has it ignore (nohup, `&`).
STOP_SIGNALS = [
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if (number := getattr(signal, name, None)) and signal.getsignal(number) is not signal.SIG_IGN
]
Handler = Callable[[int, types.FrameType | None], object]

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # names and texts of files may hold what a terminal acts on
_received: list[int] = []  # stop signals, from `run_and_exit` on


def notify(sentence: str) -> None:
    """Print a sentence for the user to stderr, because stdout carries data; nothing where stderr takes no more."""
    try:
        print(CONTROL.sub(lambda found: repr(found[0])[1:-1], sentence), file=sys.stderr, flush=True)
    except OSError:  # its terminal has closed, or its disk is full
        _silence(sys.stderr)


@functools.cache
def notify_once(sentence: str) -> None:
    """As `notify`, each sentence once a process."""
    notify(sentence)


def is_command() -> bool:
    """Is this process one of the project's commands, `python live.py` or `python -m PART`, and no other program?

    sys.argv[0] is "-m" as long as Python looks for the module that -m names; it imports the module's package meanwhile.
    """
    main = getattr(sys.modules["__main__"], "__file__", None)
    return sys.argv[:1] == ["-m"] or (main is not None and Path(main).resolve() in SCRIPTS)


def begin() -> None:
    """Prepare the process of a command, before the imports that take seconds.

    Streams that the shell closed lead nowhere, so that no file gets their numbers; those that cannot show a character
    show its code. Errors while modules are imported are told as `run_and_exit` tells them.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - open until the process ends
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        out = sys.stdout
        encoding, lines, at_once = out.encoding, out.line_buffering, out.write_through  # the last of python -u
        sys.stdout = _Stdout(out.detach(), encoding, "backslashreplace", line_buffering=lines, write_through=at_once)
    sys.excepthook = _end_import
    _on_stop(_leave)


class _Stdout(io.TextIOWrapper):
    """stdout whose errors become a `UserError`, as a full disk's name no file. After one it discards what comes.

    A reader who goes away stays a BrokenPipeError.
    """

    def write(self, text: str) -> int:
        with self._told():
            return super().write(text)

    def flush(self) -> None:
        with self._told():
            super().flush()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            _silence(self)
            if isinstance(error, BrokenPipeError):
                raise
            raise UserError(f"cannot write to standard output: {error.strerror}.", exit_code=FAILED) from error


def run_and_exit(main: Callable[[], int | None]) -> typing.NoReturn:
    """Run `main` and leave the process: errors from outside become one line on stderr and an exit code."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)  # messages of libraries, on stderr
    _received.clear()
    _on_stop(_interrupt)
    code = _code_of(main)
    _on_stop(_leave)
    code = _code_of(sys.stdout.flush) or code  # else what it cannot take is found out when nobody can say so any more
    try:
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)
    sys.exit(128 + _received[0] if _received else code)


def _code_of(action: Callable[[], int | None]) -> int:
    """Call `action`; the exit code that it gives, or that of its error."""
    try:
        return action() or 0
    except BaseException as error:
        return _tell(error)


def _tell(error: BaseException) -> int:
    """Say the error's sentence, if it has one; its exit code. What is a fault of the program is raised again."""
    if (outcome := outcome_of(error)) is None:
        raise error
    sentence, code = outcome
    for told in (*sentences_before(error), sentence):
        if told:
            notify(f"error: {told}")
    return code


def _end_import(kind: type[BaseException], error: BaseException, traceback: types.TracebackType | None) -> None:
    """Python's hook for errors that nobody catches: those while a command's modules are imported."""
    if outcome_of(error) is None:
        sys.__excepthook__(kind, error, traceback)
    else:
        os._exit(_tell(error))


def outcome_of(error: BaseException) -> tuple[str, int] | None:
    """The sentence ("": no word is needed) and the exit code of an error; None where it is a fault of the program."""
    match error:
        case UserError():
            return str(error), error.exit_code
        case SystemExit(code=int(code)):  # argparse's
            return "", code
        case KeyboardInterrupt():
            return "", 128 + signal.SIGINT
        case ModuleNotFoundError(name=str(name)) if "." not in name and not (ROOT / name).exists():
            return missing_package(name), FAILED
        case BrokenPipeError():  # `python live.py | head`: the reader has what it wanted
            return "", 0
        case OSError(strerror=str(reason)):
            return f"{error.filename or 'a file cannot be read or written'}: {reason}.", FAILED
        case MemoryError():
            return "there is not enough memory for this; take smaller pictures, or fewer at once.", FAILED
        case ImportError() if _received:  # what a library makes of Ctrl-C while it is imported
            return "", FAILED
    return (f"while stopping, {error!r}", FAILED) if _received else None


def usable_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def missing_package(name: str, *, command: str = "this command") -> str:
    """The sentence for a package that is not installed, or not in the Python that runs beside the project's own."""
    told, venv = f"{command} needs the package {name}, which is not installed", ROOT / ".venv"
    if venv.is_dir() and venv.resolve() != Path(sys.prefix).resolve():
        python = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
        return f"{told} in {sys.prefix}; start it with {python}."
    package = {"cv2": "opencv-python", "PIL": "pillow"}.get(name, name)
    live = re.findall(r"^[\w-]+", (ROOT / "requirements-live.txt").read_text("utf-8"), re.MULTILINE)
    return f"{told}; run pip install -r requirements{'-live' if package in live else ''}.txt."


def _silence(stream: typing.TextIO) -> None:
    """Let a stream that takes no more lead nowhere, else Python's own last flush makes the exit code 120."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # it is no file at all
        os.dup2(nowhere.fileno(), stream.fileno())


@contextlib.contextmanager
def stop_at_once() -> Iterator[None]:
    """Inside, a stop signal ends the process at once: for work that has nothing to finish, such as loading."""
    before = _on_stop(_leave)
    try:
        yield
    finally:
        _restore(before)


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Inside, processes start that get no stop signals: a terminal sends Ctrl-C to them, too, and we end them.

    Windows has no such mask: there they call `ignore_stop_signals` first.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # which would let the signals through again while the first process starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_stop_signals(*_: object) -> None:
    """From now on this process, which works for another and ends with it, ignores stop signals.

    A `DataLoader` passes the worker's number, which is not used.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def stop_requests(notice: str = "") -> Iterator[Callable[[], bool]]:
    """Inside, a stop signal makes the function that is yielded true; Ctrl-C after it ends the process at once.

    notice: a sentence for stderr when one comes. Only the main thread gets signals; in others nothing changes.
    """
    requests: list[int] = []

    def request(number: int, frame: types.FrameType | None) -> None:
        requests.append(number)
        _again(number)
        if notice:
            with contextlib.suppress(OSError):
                os.write(2, f"\n{notice}\n".encode())  # print may be in the middle of a line

    before = _on_stop(request)
    try:
        yield lambda: bool(requests)
    finally:
        _restore(before)


def _leave(number: int, frame: types.FrameType | None) -> None:
    """End the process as it is."""
    os._exit(128 + number)


def _interrupt(number: int, frame: types.FrameType | None) -> None:
    """Let what is open be closed on the way out."""
    _again(number)
    raise KeyboardInterrupt


def _ignore(number: int, frame: types.FrameType | None) -> None:
    """Nothing. With SIG_IGN in its place Python tells of a signal that had come together with the one before."""


def _again(number: int) -> None:
    """Remember the signal; Ctrl-C leaves from now on.

    Others are ignored: `timeout` and terminals that close send theirs twice, as torchrun does with Ctrl-C.
    """
    _received.append(number)
    _on_stop(_ignore)
    if signal.SIGINT in STOP_SIGNALS and "LOCAL_RANK" not in os.environ:
        signal.signal(signal.SIGINT, _leave)


def _on_stop(handler: Handler) -> dict[int, typing.Any]:
    """Set the handler of all stop signals; those that there were, by signal. Only the main thread may set them."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in STOP_SIGNALS}


def _restore(before: dict[int, typing.Any]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)
