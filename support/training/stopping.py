"""Stop between two steps, not within one: Ctrl-C and SIGTERM only ask.

In:  signals.
Out: a flag that a loop looks at where everything is consistent and can be saved.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Inside, SIGINT and SIGTERM make the function that is yielded true; a second one ends the process at once.

    Under torchrun a second one does nothing: it repeats to its processes the Ctrl-C that the terminal has sent them.
    """
    asked = []

    def ask(signum: int, frame: object) -> None:
        asked.append(signum)
        again = signal.SIG_IGN if "LOCAL_RANK" in os.environ else signal.SIG_DFL
        for number in before:
            signal.signal(number, again)
        os.write(2, b"\nstopping after this step; everything will be saved\n")  # print may be in the middle of a line

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
