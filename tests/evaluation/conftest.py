"""A small data set that the tests of evaluation share."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.portrait_set import write_portrait_set


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return write_portrait_set(tmp_path_factory.mktemp("sample"))
