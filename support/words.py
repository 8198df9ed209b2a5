"""Numbers in sentences.

In:  a number and the word for what was counted.
Out: text.
"""

from __future__ import annotations


def count(number: int, singular: str, plural: str | None = None) -> str:
    """1 frame, 1,234 frames."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
