"""Cells of a .csv that spreadsheets show and do not run.

In:  texts of files that others made: names of films and pictures, of classes.
Out: the same, those that a spreadsheet would run with an apostrophe in front; and back. Bytes that are no UTF-8
     become codes.
"""

from __future__ import annotations

from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is run by a spreadsheet that opens the file


def harmless(value: Any) -> Any:
    """A text with an apostrophe in front where it would be a formula; other values as they are."""
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def original(text: str) -> str:
    """The text from which `harmless` made a cell."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA) else text
