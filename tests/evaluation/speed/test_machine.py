"""The description of the machine: what the system and the packages say."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from evaluation.speed import machine as under_test
from evaluation.speed.machine import machine, not_idle, versions


def test_versions_are_those_of_the_imported_packages(monkeypatch):
    assert versions()["numpy"] == np.__version__
    assert versions()["python"] == ".".join(map(str, sys.version_info[:3]))
    monkeypatch.setattr(under_test, "PACKAGES", ("no-such-package",))
    assert versions()["no-such-package"] is None


def test_machine_names_a_processor_its_cores_and_how_busy_they_are():
    about = machine(seconds=0.05)
    assert about["processor"]
    assert 1 <= about["usable_cores"] <= about["cores"] == os.cpu_count()
    assert 0 <= about["busy"] <= 1


@pytest.mark.parametrize(("busy", "warning"), [(0.03, None), (0.5, "50 %")])
def test_a_busy_machine_is_warned_of(busy, warning):
    sentence = not_idle({"busy": busy})
    assert sentence is None if warning is None else warning in sentence
