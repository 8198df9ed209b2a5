"""Faults: place and clause, the first ten and a count, an error or a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.faults import Fault, FaultyData, collect_errors, raise_errors
from support import UserError

FAULTS = [Fault(Path("a/labels.csv"), line, f"label {line}") for line in range(1, 13)]


def test_a_fault_tells_file_and_line():
    assert str(Fault(Path("a/labels.csv"), 7, "no label")) == f"{Path('a/labels.csv')}:7: no label"
    assert str(Fault(Path("a/happy"), None, "empty")) == f"{Path('a/happy')}: empty"


def test_an_error_inside_becomes_a_fault_and_the_rest_goes_on():
    faults = []
    for line in range(3):
        with collect_errors(faults, Path("x"), line):
            if line == 1:
                raise UserError("no")
    assert faults == [Fault(Path("x"), 1, "no")]
    with pytest.raises(KeyError), collect_errors(faults, Path("x"), 9):
        {}["a mistake of ours, not of the data"]


def test_the_error_shows_ten_and_counts_all():
    with pytest.raises(FaultyData) as caught:
        raise_errors(FAULTS, skip_bad=False)
    lines = str(caught.value).splitlines()
    assert lines[0] == "12 faults in the data set; repair them or give --skip-bad:"
    assert lines[1] == f"  {FAULTS[0]}"
    assert len(lines) == 1 + 10 + 1
    assert lines[-1] == "  and 2 more"
    assert caught.value.faults == tuple(FAULTS)
    assert caught.value.exit_code == 2
    with pytest.raises(FaultyData, match="1 fault in"):
        raise_errors(FAULTS[:1], skip_bad=False)


@pytest.mark.parametrize("skip_bad", [True, False])
def test_no_faults_no_word(skip_bad, caplog):
    raise_errors([], skip_bad=skip_bad)
    assert not caplog.messages
