"""Stop a training between two steps: Ctrl-C and SIGTERM only make a request.

In:  signals.
Out: a function that a loop calls where everything is consistent and can be saved.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Inside, SIGINT and SIGTERM make the function that is yielded true; a second one ends the process at once.

    Under torchrun a second one does nothing: torchrun sends the terminal's Ctrl-C to its processes once more.
    """
    requests: list[int] = []

    def request(signum: int, frame: object) -> None:
        requests.append(signum)
        again = signal.SIG_IGN if "LOCAL_RANK" in os.environ else signal.SIG_DFL
        for number in before:
            signal.signal(number, again)
        os.write(2, b"\nstopping after this step; everything will be saved\n")  # print may be in the middle of a line

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(requests)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
