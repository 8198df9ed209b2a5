"""A bar on stderr while nobody watches: frames done and to come, rate, time left.

In:  how many frames there will be, if that is known; each frame as it is done.
Out: the bar, where stderr is a terminal; nothing elsewhere.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm


class Progress:
    """A context manager. total: frames to come, None: unknown. shown: False: no bar on a terminal either."""

    def __init__(self, total: int | None, *, shown: bool = True) -> None:
        self._bar: tqdm | None = None
        self._opened = contextlib.ExitStack()
        if shown and sys.stderr.isatty():
            from tqdm import tqdm  # what shows no bar starts without it
            from tqdm.contrib.logging import logging_redirect_tqdm

            tqdm.monitor_interval = 0  # no thread of its own
            self._bar = tqdm(total=total, unit=" frames", dynamic_ncols=True, leave=False, file=sys.stderr)
            self._opened.enter_context(contextlib.closing(self._bar))
            self._opened.enter_context(logging_redirect_tqdm())  # messages of libraries, too, beside the bar

    def advance(self, frames: int = 1) -> None:
        """So many more are done."""
        if self._bar is not None:
            self._bar.update(frames)

    def aside(self, stream: TextIO | None = None) -> contextlib.AbstractContextManager[None]:
        """Inside, lines may be written to `stream` (stderr where left out): the bar is off their terminal."""
        if self._bar is None or not (stream or sys.stderr).isatty():
            return contextlib.nullcontext()
        return self._bar.external_write_mode(sys.stderr)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._opened.close()
