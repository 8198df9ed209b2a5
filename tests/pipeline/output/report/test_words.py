"""Numbers and names as text."""

from __future__ import annotations

import html

import pytest

from pipeline.output.report.words import MOST_UNREAD, Unread, clock, percent, safe


@pytest.mark.parametrize(
    ("seconds", "tenths", "text"),
    [
        (0, False, "0:00"),
        (59.6, False, "1:00"),
        (3725, False, "1:02:05"),
        (12.34, True, "0:12.3"),
        (59.97, True, "1:00.0"),
        (360000, False, "100:00:00"),
    ],
)
def test_clock(seconds, tenths, text):
    assert clock(seconds, tenths=tenths) == text


def test_percent_tells_little_from_nothing():
    shown = [html.unescape(percent(share)).replace("\xa0", " ") for share in (0, 0.0001, 0.006, 0.625, 1)]
    assert shown == ["0 %", "< 1 %", "1 %", "62 %", "100 %"]


def test_safe_escapes_and_shows_what_cannot_be_seen():
    assert safe("<a href='x'>&\"") == "&lt;a href=&#x27;x&#x27;&gt;&amp;&quot;"
    assert safe("a\x00\n\u202eb\udcff") == "a\\x00\\n\\u202eb\\udcff"
    assert safe("Ünïcode 日本") == "Ünïcode 日本"


def test_unread_keeps_the_first_and_counts_the_rest():
    unread = Unread()
    for i in range(MOST_UNREAD + 5):
        unread.add(str(i))
    assert (len(unread.lines), unread.lines[-1], unread.surplus) == (MOST_UNREAD, str(MOST_UNREAD - 1), 5)
