"""Files from anywhere: what can be read of them, and the sentence where it is nothing."""

from __future__ import annotations

import json

import pytest

from pipeline.output.report.records import LONGEST_LINE, Records
from support import UserError

NEEDED = ("time_s", "frame")
CSV = "time_s,frame,name\n0.0,0,a\n"


def read(tmp_path, content: str | bytes, name: str = "log.csv") -> tuple[list[dict], Records]:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    records = Records(tmp_path / name, NEEDED)
    return list(records), records


def test_a_whole_file_reads_the_same_each_time(tmp_path):
    rows, records = read(tmp_path, CSV + '1.5,3,"a, ""b""\nc"\r\n')
    assert rows == [{"time_s": "0.0", "frame": "0", "name": "a"}, {"time_s": "1.5", "frame": "3", "name": 'a, "b"\nc'}]
    assert list(records) == rows
    assert (records.damaged, records.cut_off, records.replaced) == (0, False, False)


@pytest.mark.parametrize("tail", ["2.0,1", "2.0,1,whole but for its end", '2.0,1,"open\nquote'])
def test_a_line_without_an_end_is_left_out(tmp_path, tail):
    rows, records = read(tmp_path, CSV + tail)
    assert [row["frame"] for row in rows] == ["0"]
    assert records.cut_off


def test_rows_of_another_length_are_counted_and_empty_ones_are_not(tmp_path):
    rows, records = read(tmp_path, CSV + "1,2\n\n1,2,3,4\n5,6,b\n")
    assert [row["frame"] for row in rows] == ["0", "6"]
    assert records.damaged == 2


def test_encodings(tmp_path):
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        rows, records = read(tmp_path, (CSV + "1,1,ü\n").encode(encoding))
        assert [row["name"] for row in rows] == ["a", "ü"]
        assert not records.replaced
    rows, records = read(tmp_path, (CSV + "1,1,ü\n").encode("latin-1"))
    assert [row["name"] for row in rows] == ["a", "\ufffd"]
    assert records.replaced
    rows, records = read(tmp_path, (CSV + "1,1,").encode("utf-16") + b"\x00\xd8" + "\n".encode("utf-16-le"))
    assert records.replaced


def test_a_log_of_a_file_whose_name_is_no_utf8_is_whole(tmp_path):
    """The log holds U+FFFD for the name's bytes, and is UTF-8."""
    for name, text in (
        ("log.csv", CSV + "1,1,a\ufffd.jpg\n"),
        ("log.jsonl", '{"time_s":0,"frame":0,"name":"\ufffd"}\n'),
    ):
        rows, records = read(tmp_path, text, name)
        assert "\ufffd" in rows[-1]["name"]
        assert not records.replaced


def test_json_of_any_kind_but_a_row_is_counted(tmp_path):
    good = json.dumps({"time_s": 0, "frame": 1})
    bad = ["[" * 100_000, '{"time_s": 1}', "3", "null", "{'a'}", '"x"', "9" * 5000, "\x00"]
    rows, records = read(tmp_path, "\n".join([good, *bad, good, "", ""]), "log.jsonl")
    assert len(rows) == 2
    assert records.damaged == len(bad)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "has no column time_s, frame"),
        (b"time_s;frame\n0;1\n", "has no column time_s, frame"),
        (bytes(range(256)) * 10 + b"\n", "has no column time_s, frame"),
        (b"x" * (LONGEST_LINE + 10), "has a line of more than"),
    ],
)
def test_another_programs_file_is_one_sentence(tmp_path, content, sentence):
    with pytest.raises(UserError, match=sentence + r".*; is it a log that live\.py --log wrote\?"):
        read(tmp_path, content)


def test_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "missing.csv", "/dev/null", "a" * 5000, "a\0b"):
        with pytest.raises(UserError, match="is no file; name a log"):
            Records(path, NEEDED)
