"""A first signal makes a request, a second one ends the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from helpers.paths import ROOT

from support.training.stopping import stop_requests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_only_makes_a_request(number, capfd):
    before = signal.getsignal(number)
    with stop_requests() as stop_requested:
        assert not stop_requested()
        os.kill(os.getpid(), number)
        assert stop_requested()
    assert signal.getsignal(number) is before
    assert "everything will be saved" in capfd.readouterr().err


@pytest.mark.parametrize(("under_torchrun", "expected"), [(False, -signal.SIGINT), (True, 0)])
def test_a_second_one_ends_the_process(under_torchrun, expected):
    code = (
        "import os, signal\n"
        "from support.training.stopping import stop_requests\n"
        "with stop_requests():\n"
        "    for _ in range(2): os.kill(os.getpid(), signal.SIGINT)\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "LOCAL_RANK"}
    environment |= {"LOCAL_RANK": "0"} if under_torchrun else {}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == expected
