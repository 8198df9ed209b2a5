"""Formulas of spreadsheets become texts, and come back."""

from __future__ import annotations

import pytest

from support.csv_cells import harmless, original


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@SUM(A1)", "\tx", "\rx", "'=x", "''+1"])
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(text):
    assert harmless(text) == "'" + text
    assert original("'" + text) == text


@pytest.mark.parametrize("value", ["", "a=b", "'quoted'", -1.5, None])
def test_what_it_would_not_run_stays(value):
    assert harmless(value) == value
    assert not isinstance(value, str) or original(value) == value


def test_what_is_no_utf8_becomes_its_code():
    assert harmless("=\udcff.png") == "'=\\udcff.png"
