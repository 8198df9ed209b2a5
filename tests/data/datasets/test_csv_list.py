"""A list in a .csv: labels or votes, parts and people as given, whatever program saved it."""

from __future__ import annotations

import functools

import pytest
from helpers.tiny_formats import make_csv_list
from helpers.tiny_sets import faults_of, write_grey, write_lines

from data.datasets import csv_list, load_faces, load_format
from support import UserError

load = functools.partial(load_format, csv_list)


def make_list(root, lines: list[str], *, pictures: int = 6, encoding: str = "utf-8"):
    for n in range(pictures):
        write_grey(root / f"{n}.png", 10 * n)
    (root / "faces.csv").write_bytes("".join(f"{line}\r\n" for line in lines).encode(encoding))
    return root


def test_labels_people_and_drawn_parts(tmp_path):
    make_csv_list(tmp_path)
    parts = [load(tmp_path / "faces.csv", split) for split in ("train", "validation", "test")]
    assert sum(map(len, parts)) == 20
    assert sum(len(set(part.persons.tolist())) for part in parts) == 10  # nobody twice
    for part in parts:
        assert part.class_names == ("happiness", "sadness")
        for name, image, label in zip(part.names, part.images, part.labels, strict=True):
            number = int(name.split("/")[1].split(".")[0])
            assert (image == 5 * number).all()
            assert label == number % 2


ROWS = ["path|p_happy|p_sad|split|site", "0.png|N|N|train|a", "1.png|3|1|val|b", "2.png|1|3|test|a", "3.png|2|2|test|a"]
VOTES = [
    [row.replace("|", delimiter).replace("N", half) for row in ROWS]
    for delimiter, half in ((";", "0,5"), (",", '"0,5"'), (",", "0.5"), ("\t", ".5"), ("\t", "0,5"))
]


@pytest.mark.parametrize("lines", VOTES, ids=["semicolons", "quoted", "commas", "tabs", "tabs and decimal commas"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_votes_parts_and_attributes_however_they_were_saved(tmp_path, lines, encoding):
    make_list(tmp_path, lines, encoding=encoding)
    train, validation, test = (load_faces(tmp_path, split) for split in ("train", "validation", "test"))
    assert train.has_votes
    assert train.votes.tolist() == [[0.5, 0.5]]
    assert validation.votes.tolist() == [[0.75, 0.25]]
    assert validation.attributes["site"].tolist() == ["b"]
    assert test.names == ("2.png",)  # the other one is a tie: it has no label
    assert test.labels.tolist() == [1]


def test_a_tie_is_in_no_part_that_is_drawn(tmp_path):
    make_list(tmp_path, ["path,p_happy,p_sad", *(f"{n}.png,5,{n % 2 + 4}" for n in range(25))], pictures=25)
    tied = [(load(tmp_path, split).votes == 0.5).any() for split in ("train", "validation", "test")]
    assert tied == [True, False, False]


def test_a_column_of_votes_for_no_class_is_refused(tmp_path):
    make_list(tmp_path, ["path,p_,p_happy", "0.png,1,2"])
    with pytest.raises(UserError, match=r"faces\.csv:1 has a column p_ without a class"):
        load(tmp_path, "train")


@pytest.mark.parametrize(
    "lines", [["path,label", "0.png,fröhlich", "1.png,sad"], ["path,p_fröhlich,p_sad", "0.png,1,2"]]
)
def test_a_list_in_another_encoding_is_recognised_and_the_encoding_named(tmp_path, lines):
    make_list(tmp_path, lines, encoding="latin-1")
    with pytest.raises(UserError, match=r"faces\.csv is no UTF-8 or UTF-16 text after line .*; save it as UTF-8"):
        load_faces(tmp_path, "train")


def test_a_label_beside_votes_is_what_counts(tmp_path):
    make_list(tmp_path, ["path,label,p_sad,p_happy,split", "0.png,happy,3,1,test", "1.png,sad,3,1,train"])
    faces = load(tmp_path, "test")
    assert faces.class_names == ("happiness", "sadness")
    assert faces.labels.tolist() == [0]
    assert faces.votes.tolist() == [[0.25, 0.75]]


def test_any_names_become_ours_by_a_file(tmp_path):
    rows = ["0.png,AU12,train", "1.png,AU1+2,train", "2.png,posed,train", "3.png,AU6,val", "4.png,AU12,test"]
    make_list(tmp_path, ["path,label,split", *rows])
    mapping = write_lines(tmp_path / "map.txt", ["AU12 happy", "au6 happiness", "AU1+2 surprise", "posed -"])
    assert load_faces(tmp_path, "all").class_names == ("au1+2", "au12", "au6", "posed")
    faces = load_faces(tmp_path, "all", classes=str(mapping))
    assert faces.class_names == ("happiness", "surprise")
    assert faces.names == ("0.png", "1.png", "3.png", "4.png")
    assert faces.labels.tolist() == [0, 1, 0, 0]
    write_lines(tmp_path / "map.txt", ["AU99 happy"])
    with pytest.raises(UserError, match="--classes names au99, which the data set lacks"):
        load_faces(tmp_path, "train", classes=str(mapping))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("1.png,glad,train", None),
        ("1.png,sad,late", "split must be one of train, validation, test, not 'late'"),
        ("1.png,,train", "the label must be one of"),
        ("1.png,sad", "wanted 3 fields (values as in the header), found 2"),
        ("gone.png,sad,train", "cannot open"),
        ("0.png,sad,train", "0.png is a duplicate of faces.csv:2"),
        ("./there/../0.png,sad,train", "0.png is a duplicate of faces.csv:2"),
    ],
)
def test_faults(tmp_path, line, fault):
    make_list(tmp_path, ["path,label,split", "0.png,happy,train", line, "2.png,sad,test", "3.png,sad,val"])
    if fault is None:
        assert load(tmp_path, "train").class_names == ("happiness", "sadness", "glad")
        return
    (found,) = faults_of(load, tmp_path)
    assert found.startswith(f"faces.csv:3: {fault}")


def test_a_list_that_knows_people_knows_all_of_them(tmp_path):
    make_list(tmp_path, ["path,label,person", "0.png,happy,p", "1.png,sad,", "2.png,sad,q", "3.png,sad,p"])
    (found,) = faults_of(load, tmp_path)
    assert found.startswith("faces.csv:3: the person is empty")


def test_headers_that_cannot_be_meant_are_refused(tmp_path):
    make_list(tmp_path, ["path,label,label", "0.png,happy,sad"])
    with pytest.raises(UserError, match="names the column label twice"):
        load(tmp_path, "train")
    make_list(tmp_path, ["path,p_happy,p_joy", "0.png,1,2"])
    with pytest.raises(UserError, match="two columns of votes for one class"):
        load(tmp_path, "train")


def test_a_folder_with_two_lists_is_none(tmp_path):
    make_csv_list(tmp_path)
    assert csv_list.find(tmp_path) is not None
    write_lines(tmp_path / "other.csv", ["path,label", "a,b"])
    assert csv_list.find(tmp_path) is None
    assert csv_list.find(tmp_path / "other.csv") is not None
