"""Faults that the fuzz must notice, each as a kind of its own: what programs may never do with an input.

In:  nothing; FUZZ_KINDS=fuzz.faults makes these the kinds.
Out: actions that raise, crash, hang, take memory, run code, or do what is right.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from fuzz.cases import Action, Kind

from support import UserError


def _raise(error: BaseException) -> None:
    raise error


def _hang() -> None:
    while True:
        pass


ACTIONS: dict[str, Action] = {
    "error": lambda: _raise(KeyError("x")),
    "empty": lambda: _raise(UserError(" ")),
    "leave": lambda: _raise(SystemExit(0)),
    "memory": lambda: bytearray(8 << 30),
    "code": lambda: Path(os.environ["FUZZ_MARKER"]).touch(),
    "sentence": lambda: _raise(UserError("wanted this, got that")),
    "number": lambda: 7,
    "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "hang": _hang,
}
KINDS = {name: Kind(lambda rng, folder, shared, action=action: action, 1) for name, action in ACTIONS.items()}
