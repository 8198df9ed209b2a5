"""Processes that start soon: on Linux they are forked from one that has imported what they need and done nothing else.

In:  nothing.
Out: the context of multiprocessing that starts them.

That one imports while the command itself still looks for its sources. Elsewhere each process imports for itself.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing import forkserver
from multiprocessing.context import BaseContext

from support.process import signals_blocked

PRELOADED = ["pipeline.archive.worker", "pandas"]  # pandas: pyarrow imports it for its first list


def process_context() -> BaseContext:
    """The context whose processes do the units; the first call begins to import, beside this process."""
    if sys.platform != "linux":  # macOS forbids parts of its libraries after a fork
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's; a process with threads is not to be forked
    with signals_blocked():
        forkserver.ensure_running()
    return context
