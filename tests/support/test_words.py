"""Numbers in sentences."""

from __future__ import annotations

from support import count


def test_count():
    assert (count(1, "frame"), count(1234, "frame"), count(2, "person", "people")) == (
        "1 frame",
        "1,234 frames",
        "2 people",
    )
