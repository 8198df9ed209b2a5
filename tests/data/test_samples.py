"""From samples to faces: votes, attributes, people, boxes; what cannot be decoded is a fault of its line."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_sets import write_picture

from data.faults import FaultyData
from data.samples import Sample, Samples, build_face_set
from support import UserError


def sample(name: str, *, label: int = 0, split: str = "train", picture: Path = Path("a.png"), **more) -> Sample:
    return Sample(name=name, split=split, label=label, picture=picture, file=Path("list.csv"), line=1, **more)


def test_columns_are_what_went_in(tmp_path):
    rows = [
        sample("a", label=1, picture=tmp_path / "a.png", person="p", box_xyxy=(1, 2, 3, 4), attributes={"age": "4"}),
        sample("b", split="test", picture=tmp_path / "ä.png", box_xyxy=(5, 6, 7, 8), attributes={"age": "70+"}),
    ]
    columns = Samples(rows)
    assert list(columns) == rows
    assert list(columns[::-1]) == rows[::-1]
    assert list(columns[np.array([1])]) == rows[1:]
    assert list(columns[:0]) == []
    assert [row.split for row in columns.with_split("validation", np.array([True, False]))] == ["validation", "test"]
    assert list(columns) == rows


def test_columns_of_votes_keep_those_of_each_row():
    votes = [np.array([1, 2], np.float32), None, np.array([0, 4], np.float32)]
    columns = Samples(sample(str(row), votes=counts) for row, counts in enumerate(votes))
    assert columns.voted().tolist() == [True, False, True]
    some = columns[np.array([2, 0])]
    assert some.votes(np.arange(2)).tolist() == [[0, 4], [1, 2]]
    assert [row.votes.tolist() for row in some] == [[0, 4], [1, 2]]
    assert columns[1].votes is None


def test_a_listed_picture_takes_little_memory():
    names = [f"train/n0001/n0001_{number:07}.jpg" for number in range(5000)]
    tracemalloc.start()
    columns = Samples(sample(name, picture=f"/data/imagenet/{name}") for name in names)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(columns) == 5000
    assert taken / 5000 < 50  # as a list of `Sample`s, 350 or more


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
    assert faces.labels.dtype == np.int32
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


def test_some_faces_with_votes_and_some_without_are_refused(tmp_path):
    picture = write_picture(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8))
    rows = [sample("a", picture=picture, votes=np.ones(1, np.float32)), sample("b", picture=picture)]
    with pytest.raises(UserError, match="1 of 2 faces for train have no votes"):
        build_face_set(rows, [], split="train", class_names=("x",), skip_bad=False)


def test_people_are_known_where_all_are(tmp_path):
    picture = write_picture(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8))
    rows = [sample("a", picture=picture, person="p"), sample("b", picture=picture, person="q")]
    faces = build_face_set(rows, [], split="train", class_names=("x",), skip_bad=False)
    assert faces.persons.tolist() == ["p", "q"]
    rows[1] = sample("b", picture=picture)
    assert build_face_set(rows, [], split="train", class_names=("x",), skip_bad=False).persons is None


def test_a_box_is_cut_out_and_one_outside_is_a_fault(tmp_path):
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    picture = write_picture(tmp_path / "a.png", image)
    rows = [sample("a", picture=picture, box_xyxy=(1, 2, 3, 9)), sample("b", picture=picture, box_xyxy=(4, 0, 9, 4))]
    with pytest.raises(FaultyData, match=r"list.csv:1: the face's box \(4, 0, 9, 4\) lies outside .* 4 x 4"):
        build_face_set(rows, [], split="train", class_names=("x",), skip_bad=False)
    faces = build_face_set(rows, [], split="train", class_names=("x",), skip_bad=True)
    np.testing.assert_array_equal(faces.images[0], image[2:4, 1:3, ::-1])
