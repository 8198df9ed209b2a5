"""Processes have imported what they need before they start, and get no stop signals."""

from __future__ import annotations

import os
import signal
import sys
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

import pytest
from helpers.patience import PATIENCE_S

from pipeline.archive.processes import PRELOADED, process_context


def tell(connection: Connection) -> None:
    """What of `PRELOADED` is there though this file imports none of it, and the signals that wait."""
    connection.send(
        ([name in sys.modules for name in PRELOADED], signal.pthread_sigmask(signal.SIG_BLOCK, ()), os.getpid())
    )


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_a_process_starts_with_its_modules_and_without_stop_signals():
    server: Any = forkserver._forkserver
    server._stop()  # another test may have started it in a folder from which these modules cannot be imported
    context: Any = process_context()
    ours, theirs = context.Pipe()
    process = context.Process(target=tell, args=(theirs,))
    process.start()
    assert ours.poll(PATIENCE_S)
    imported, blocked, pid = ours.recv()
    process.join()
    assert imported == [True] * len(PRELOADED)
    assert {signal.SIGINT, signal.SIGTERM} <= blocked
    assert pid == process.pid != os.getpid()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())  # here they arrive
