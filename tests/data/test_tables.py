"""Tables, votes, the split by name, and decoding."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from data.tables import (
    box_numbers,
    check_field_count,
    is_number,
    read_header,
    read_records,
    read_rows,
    register_name,
    vote_counts,
    whole_number,
)
from support import UserError


def test_rows_come_with_their_lines_and_na_stays_na(tmp_path):
    table = tmp_path / "a.csv"
    table.write_bytes(b'\xef\xbb\xbfNA, 1\r\n\r\n"x, y",nan\r\n')  # as a spreadsheet saves it
    assert list(read_rows(table)) == [(1, ["NA", "1"]), (3, ["x, y", "nan"])]
    table = tmp_path / "a.txt"
    table.write_text("NA 1 \n\n x.jpg\t2\n")
    assert list(read_rows(table)) == [(1, ["NA", "1"]), (3, ["x.jpg", "2"])]
    with pytest.raises(UserError, match=r"cannot read .*none\.txt"):
        list(read_rows(tmp_path / "none.txt"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(UserError, match=r"a\.csv is a folder, a device or a pipe; name a file"):
        read_header(tmp_path / "a.csv")


def test_records_follow_the_header_in_any_order(tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("b, a,c\n1,2,3\n4,5\n6,7,8\n")
    faults = []
    assert list(read_records(table, ("a", "b"), faults)) == [(2, ["2", "1"]), (4, ["7", "6"])]
    assert [(fault.file, fault.line) for fault in faults] == [(table, 3)]


@pytest.mark.parametrize("text", ["", "a|b\n1|2\n", "b\n1\n"])
def test_records_need_their_columns(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=r"a\.csv:1 must name the columns a, b, separated by commas; it lacks a"):
        list(read_records(tmp_path / "a.csv", ("a", "b"), []))


def test_a_row_of_another_length_is_refused_and_the_delimiter_suspected():
    check_field_count(["a", "1"], 2, what="name, label")
    with pytest.raises(UserError, match=r"wanted 2 fields \(name, label\), found 1: 'a 1'; is the delimiter another"):
        check_field_count(["a 1"], 2, what="name, label")
    with pytest.raises(UserError, match=r"found 3: 'a 1 2'$"):
        check_field_count(["a", "1", "2"], 2, what="name, label")


def test_a_name_may_stand_once():
    places = {}
    register_name("a", places, file=Path("x/l.csv"), line=3)
    with pytest.raises(UserError, match=r"a is a duplicate of l\.csv:3"):
        register_name("a", places, file=Path("x/l.csv"), line=5)
    with pytest.raises(UserError, match="empty"):
        register_name("", places, file=Path("x/l.csv"), line=6)


def test_whole_numbers_in_their_range():
    assert whole_number("1", 7, first=1) == 1
    assert whole_number("7", 7, first=1) == 7
    for text in ("0", "8", "-1", "1.0", "x", ""):
        with pytest.raises(UserError, match=f"label must be a whole number from 1 to 7, not '{text}'"):
            whole_number(text, 7, first=1)
    with pytest.raises(UserError, match="whole number from 1 to 7, not '111"):
        whole_number("1" * 5000, 7, first=1)


def test_boxes_are_within_what_their_corners_fit_in():
    assert box_numbers(["1", "-2,6", "3.2", "1073741823.4"]) == [1, -3, 3, 2**30 - 1]
    for text in ("1073741823.6", "-1073741824", "1e300", "nan", "x"):
        with pytest.raises(UserError, match="the box must be four numbers, not"):
            box_numbers(["1", "2", "3", text])


def test_votes_are_numbers_not_negative_not_all_zero():
    counts = vote_counts(["1", "0.5", "0"])
    assert counts.tolist() == [1, 0.5, 0]
    assert counts.dtype == np.float32
    assert [is_number(text) for text in ("1", "-0.5", "1e-3", "", "nan", "inf", "a")] == [True] * 3 + [False] * 4
    for fields, message in ((["1", "x"], "numbers"), (["1", "nan"], "numbers"), (["2", "-1"], "negative"),
                            (["0", "0.0"], "sum to zero")):  # fmt: skip
        with pytest.raises(UserError, match=message):
            vote_counts(fields)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_text_is_read_in_the_encodings_that_programs_save(tmp_path, encoding, suffix):
    table = tmp_path / f"a{suffix}"
    separator = ";" if suffix == ".csv" else " "
    table.write_bytes(f"ä.png{separator}1\r\nb.png{separator}2\r\n".encode(encoding))
    assert list(read_rows(table)) == [(1, ["ä.png", "1"]), (2, ["b.png", "2"])]


def test_another_encoding_is_named(tmp_path):
    (tmp_path / "a.csv").write_bytes("b.png,1\nä.png,1\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"a\.csv is no UTF-8 or UTF-16 text after line .*; save it as UTF-8"):
        list(read_rows(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a,b", ["a", "b"]),
        ("a;b", ["a", "b"]),
        ("a;0,5", ["a", "0,5"]),
        ("a\t0,5", ["a", "0,5"]),
        ('a,"0,5"', ["a", "0,5"]),
        ('a.png,"(0; 0)",4', ["a.png", "(0; 0)", "4"]),
        ("a b", ["a b"]),
    ],
)
def test_the_first_line_tells_the_delimiter(tmp_path, line, fields):
    (tmp_path / "a.csv").write_text(f"\n{line}\n")
    assert list(read_rows(tmp_path / "a.csv")) == [(2, fields)]


def test_numbers_may_have_a_decimal_comma():
    assert vote_counts(["0,5", "1.5", "2"]).tolist() == [0.5, 1.5, 2]
    assert [is_number(text) for text in ("0,5", "1_0", "1,5,2", "1.000,5")] == [True, False, False, False]


@pytest.mark.parametrize("fields", [["1e39", "1"], ["3e38", "3e38"], ["1e308", "1e308"]])
def test_votes_that_overflow_are_refused(fields):
    with pytest.raises(UserError, match="votes must be counts or shares"):
        vote_counts(fields)


def test_votes_that_vanish_are_none():
    with pytest.raises(UserError, match="sum to zero"):
        vote_counts(["1e-46", "0"])
    shares = vote_counts(["1e-30", "3e-30"])
    assert (shares / shares.sum()).tolist() == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize("name", ["x.csv", "x.txt"])
def test_a_zero_byte_is_no_text(tmp_path, name):
    (tmp_path / name).write_bytes(b"a.png,1\nb\x00.png,2\n")
    with pytest.raises(UserError, match=rf"{name}:2 holds a zero byte"):
        list(read_rows(tmp_path / name))
