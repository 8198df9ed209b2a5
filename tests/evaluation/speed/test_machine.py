"""The description of the machine: what the system and the packages say, and /proc/stat by hand."""

from __future__ import annotations

import os
import sys

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


def test_busy_share_is_counted_in_ticks_of_all_cores(tmp_path):
    stat = tmp_path / "stat"
    assert busy_share(stat=stat) is None
    stat.write_text("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 ...\n")
    slept = []

    def work(seconds: float) -> None:
        slept.append(seconds)
        stat.write_text("cpu  120 5 60 850 60 3 2 0 0 0\ncpu0 ...\n")  # 100 ticks later, 60 of them idle

    assert busy_share(0.3, stat=stat, sleep=work) == pytest.approx(0.4)
    assert slept == [0.3]


@pytest.mark.parametrize(
    ("busy", "load", "warning"),
    [
        (0.03, 2.0, None),  # the load is that of the last minute
        (0.5, 0.0, "50%"),
        (None, 1.0, "25%"),
        (None, 0.1, None),
        (None, None, None),
    ],
)
def test_a_busy_machine_is_warned_of(busy, load, warning):
    sentence = not_idle({"busy": busy, "load_1_min": load, "cores": 4})
    assert sentence is None if warning is None else warning in sentence
