"""One person's article: its rows, read back."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pipeline.output.report.people import SeenFace
from pipeline.output.report.person import TABLE_ROWS, mostly, person_html, shares_table, timeline_table
from pipeline.output.report.session import SessionSummary

CLASSES = ("neutral", "happiness", "fear")


@pytest.fixture
def seen():
    """A source of 100 s with one person: neutral for 60 s, away for 10, happy for 30."""
    session = SessionSummary(CLASSES)
    for i in range(1000):
        p = [0.9, 0.1, 0.0] if i < 600 else [0.2, 0.8, 0.0]
        session.add("a", "a.mp4", i / 10, [SeenFace(5, np.array(p))] if not 600 <= i < 700 else [])
    (source,) = session.finished().sources.values()
    return source, source.people[5]


def cells(table: str) -> list[list[str]]:
    """The text of a table's rows."""
    body = re.search(r"<tbody>.*</tbody>", table)[0].replace("&nbsp;", " ")
    rows = ET.fromstring(body).iter("tr")
    return [["".join(cell.itertext()) for cell in row] for row in rows]


def test_the_table_of_shares_has_a_row_a_class_largest_first(seen):
    source, person = seen
    rows = cells(shares_table(source, person, CLASSES))
    assert [row[0] for row in rows] == ["neutral", "happiness", "fear"]
    assert [row[2:5] for row in rows] == [["67 %", "1:00", "67 %"], ["33 %", "0:30", "33 %"], ["0 %", "0:00", "0 %"]]
    assert rows[0][5].count(":") == rows[1][5].count(":") == 3, "three moments"
    assert rows[1][5].startswith("1:10.0")
    assert mostly(person.totals, CLASSES) == "neutral 67&nbsp;%"


def test_the_timeline_is_a_table_too(seen):
    source, person = seen
    rows = cells(timeline_table(source, person, CLASSES))
    assert len(rows) <= TABLE_ROWS
    assert [row[0] for row in rows[:3]] == ["0:00", "0:08", "0:16"]
    assert rows[0][1:] == ["90 %", "10 %", "0 %"]
    assert rows[-1][1:] == ["20 %", "80 %", "0 %"]


def test_a_picture_is_named_and_has_no_time():
    session = SessionSummary(CLASSES)
    session.add("p", "<p>.jpg", 0.0, [SeenFace(0, np.array([0.0, 1.0, 0.0]), picture=lambda: b"x")], still=True)
    (source,) = session.finished().sources.values()
    article = person_html(source, source.people[0], CLASSES)
    assert "<h3>All faces</h3>" in article
    assert '<svg class="timeline"' not in article, "one picture has no line"
    assert 'alt="the face at &lt;p&gt;.jpg, with its heat"' in article
