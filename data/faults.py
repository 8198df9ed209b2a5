"""What is wrong with the files of a data set: collected while they are read, raised together at the end.

In:  file, line and a clause for every row that cannot be used.
Out: a `FaultyData` error with the first ten and a count, or, where bad rows may be left out, a warning with the count.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from support import UserError, count

log = logging.getLogger(__name__)

SHOWN = 10


@dataclass(frozen=True)
class Fault:
    """One thing wrong. `line` counts from 1; None where it is no line of `file`, but the file or folder itself."""

    file: Path
    line: int | None
    what: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.what}"


class FaultyData(UserError):
    """Rows that cannot be used: all of them in `faults`, the first ten and their number in the message."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        shown = "".join(f"\n  {fault}" for fault in self.faults[:SHOWN])
        rest = f"\n  and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        super().__init__(f"{count(len(faults), 'fault')} in the data set; repair them or give --skip-bad:{shown}{rest}")


@contextlib.contextmanager
def collect_errors(faults: list[Fault], file: Path, line: int | None) -> Iterator[None]:
    """A `UserError` raised inside becomes one of `faults`, at this place; what follows goes on."""
    try:
        yield
    except UserError as error:
        faults.append(Fault(file, line, str(error)))


def raise_errors(faults: Sequence[Fault], *, skip_bad: bool) -> None:
    """Raise `FaultyData` where there are faults; with `skip_bad` warn of them instead."""
    if faults and not skip_bad:
        raise FaultyData(faults)
    if faults:
        what = count(len(faults), "fault")
        log.warning("%s in the data set: these rows are left out; the first: %s", what, faults[0])


@contextlib.contextmanager
def without_warning() -> Iterator[None]:
    """Inside nothing is said of rows that are left out: for a report that tells of each fault itself."""
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = False
