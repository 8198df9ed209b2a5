"""Tables, votes, the split by name, and decoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_sets import write_picture

from data.faults import FaultyData
from data.samples import Sample, build_face_set
from data.splits import split_off
from data.tables import (
    check_field_count,
    is_number,
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


def test_votes_are_numbers_not_negative_not_all_zero():
    counts = vote_counts(["1", "0.5", "0"])
    assert counts.tolist() == [1, 0.5, 0]
    assert counts.dtype == np.float32
    assert [is_number(text) for text in ("1", "-0.5", "1e-3", "", "nan", "inf", "a")] == [True] * 3 + [False] * 4
    for fields, message in ((["1", "x"], "numbers"), (["1", "nan"], "numbers"), (["2", "-1"], "negative"),
                            (["0", "0.0"], "sum to zero")):  # fmt: skip
        with pytest.raises(UserError, match=message):
            vote_counts(fields)


def sample(name: str, *, label: int = 0, split: str = "train", picture: Path = Path("a.png"), **more) -> Sample:
    return Sample(name=name, split=split, label=label, picture=picture, file=Path("list.csv"), line=1, **more)


def names_of(rows: list[Sample], split: str) -> set[str]:
    return {row.name for row in rows if row.split == split}


def test_the_split_is_stratified_and_leaves_other_splits_alone():
    rows = [sample(f"{label}-{i}", label=label) for label, count in enumerate((100, 40, 3, 1)) for i in range(count)]
    rows += [sample("t", split="test")]
    split = split_off(rows, 0.1, split="validation")
    moved = [row.label for row in split if row.split == "validation"]
    assert np.bincount(moved, minlength=4).tolist() == [10, 4, 1, 0]  # one of three, but never the only one
    assert names_of(split, "test") == {"t"}
    assert names_of(split, "train").isdisjoint(names_of(split, "validation"))
    assert [row.name for row in split] == [row.name for row in rows]


def test_the_split_does_not_depend_on_the_order_of_rows(rng):
    rows = [sample(f"train_{i:05}", label=i % 7) for i in range(350)]
    first = names_of(split_off(rows, 0.1, split="validation"), "validation")
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    assert names_of(split_off(shuffled, 0.1, split="validation"), "validation") == first
    assert len(first) == 35
    numbers = sorted(int(name[6:]) for name in first)
    assert numbers[0] < 100 < 250 < numbers[-1]  # from all over the list
    second = split_off(split_off(rows, 0.2, split="test"), 0.1, split="validation")
    assert names_of(second, "test").isdisjoint(names_of(second, "validation"))


def test_build_face_set_makes_votes_of_labels_or_scales_them(tmp_path):
    picture = write_picture(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8))
    faces = build_face_set(
        [sample("a", label=1, picture=picture)], [], split="train", class_names=("x", "y"), skip_bad=False
    )
    assert not faces.has_votes
    assert faces.votes.tolist() == [[0, 1]]
    assert faces.votes.dtype == np.float32
    row = sample("a", label=1, picture=picture, votes=np.array([1, 3], np.float32), attributes={"age": "20-39"})
    faces = build_face_set([row], [], split="train", class_names=("x", "y"), skip_bad=False)
    assert faces.has_votes
    assert faces.votes.tolist() == [[0.25, 0.75]]
    assert faces.votes.dtype == np.float32
    assert faces.labels.tolist() == [1]
    assert faces.labels.dtype == np.int64
    assert faces.attributes["age"].tolist() == ["20-39"]


def test_pictures_that_do_not_decode_are_faults_of_their_line(tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    whole = write_picture(tmp_path / "whole.png", np.zeros((2, 2, 3), np.uint8))
    rows = [sample(path.name, picture=path) for path in (tmp_path / "gone.jpg", tmp_path / "text.jpg", whole)]
    with pytest.raises(FaultyData) as caught:
        build_face_set(rows, [], split="train", class_names=("x",), skip_bad=False)
    gone, text = map(str, caught.value.faults)
    assert gone.startswith(f"list.csv:1: cannot open {tmp_path / 'gone.jpg'}")
    assert "text.jpg is not a picture" in text
    assert build_face_set(rows, [], split="train", class_names=("x",), skip_bad=True).names == ("whole.png",)


def test_a_split_without_faces_is_refused():
    with pytest.raises(UserError, match="no usable face for test"):
        build_face_set([], [], split="test", class_names=("x",), skip_bad=False)
