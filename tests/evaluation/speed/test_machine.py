"""The description of the machine: what /proc and the distributions say, by other roads."""

from __future__ import annotations

import os
import sys
import threading

import numpy as np
import pytest

from evaluation.speed import machine as under_test
from evaluation.speed.machine import busy_share, machine, not_idle, usable_cores, versions


def test_versions_are_those_of_the_imported_packages():
    assert versions()["numpy"] == np.__version__
    assert versions()["python"] == ".".join(map(str, sys.version_info[:3]))


def test_a_missing_package_has_no_version(monkeypatch):
    monkeypatch.setattr(under_test, "PACKAGES", ("no-such-package",))
    assert versions()["no-such-package"] is None


def test_machine_names_a_processor_and_its_cores():
    about = machine()
    assert about["processor"]
    assert 1 <= about["usable_cores"] == usable_cores() <= about["cores"] == os.cpu_count()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc/stat")
def test_busy_share_sees_work():
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            sum(range(1000))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        busy = busy_share(0.3)
    finally:
        stop.set()
        worker.join()
    assert 0.5 / os.cpu_count() < busy <= 1  # one core of them, less where others work


@pytest.mark.parametrize(
    ("busy", "load", "said"),
    [
        (0.03, 2.0, None),  # the load is that of the last minute
        (0.5, 0.0, "50%"),
        (None, 1.0, "25%"),
        (None, 0.1, None),
        (None, None, None),
    ],
)
def test_who_is_not_alone_is_told(busy, load, said):
    sentence = not_idle({"busy": busy, "load_1_min": load, "cores": 4})
    assert sentence is None if said is None else said in sentence
