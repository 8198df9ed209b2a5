"""Annotations, their split, and the pictures that they name."""

from __future__ import annotations

import json
import struct
import zlib

import cv2
import numpy as np
import pytest
from helpers.tiny_sets import write_lines, write_picture

from retinaface.training.annotations import is_face_free, read_annotations, read_pictures, split_of
from support import UserError

POINTS = [[20, 20], [40, 20], [30, 30], [22, 40], [38, 40]]


@pytest.fixture
def folder(tmp_path):
    image = np.zeros((60, 80, 3), np.uint8)
    image[..., 2] = 250  # red, in OpenCV's order
    for name in ("a/one.png", "a/two.png"):
        write_picture(tmp_path / name, image)
    rows = [
        {"image": "a/one.png", "boxes": [[10, 10, 50, 50], [55, 5, 70, 20]], "landmarks": [POINTS, None]},
        {"image": "a/two.png", "boxes": [], "complete": False, "ignore": [[1, 2, 3, 4]], "box_from": "teacher"},
    ]
    write_lines(tmp_path / "annotations.jsonl", [json.dumps(row) for row in rows])
    return tmp_path


def test_pictures_are_rgb_with_boxes_and_landmarks(folder):
    one, two = read_pictures(read_annotations(folder / "annotations.jsonl"), folder)
    assert one.image[0, 0].tolist() == [250, 0, 0]
    assert one.boxes.tolist() == [[10, 10, 50, 50], [55, 5, 70, 20]]
    assert one.landmarks[0].tolist() == POINTS
    assert np.isnan(one.landmarks[1]).all()
    assert one.complete
    assert two.boxes.shape == (0, 4)
    assert two.landmarks.shape == (0, 5, 2)
    assert not two.complete
    assert (one.ignore.shape, two.ignore.tolist()) == ((0, 4), [[1, 2, 3, 4]])
    assert (one.boxes_by_hand, two.boxes_by_hand) == (True, False)


def test_faults_are_sentences_with_the_line(folder):
    with pytest.raises(UserError, match="cannot read the annotations"):
        read_annotations(folder / "none.jsonl")
    with open(folder / "annotations.jsonl", "a") as file:
        file.write('{"image": "x.png"}\n')
    with pytest.raises(UserError, match="line 3: wanted a JSON object with image and boxes"):
        read_annotations(folder / "annotations.jsonl")
    with pytest.raises(UserError, match=r"missing\.png is annotated but cannot be read"):
        list(read_pictures([{"image": "missing.png", "boxes": []}], folder))
    huge = bytearray(cv2.imencode(".png", np.zeros((1, 1, 3), np.uint8))[1].tobytes())
    huge[16:24] = struct.pack(">II", 60_000, 60_000)  # what its header says
    huge[29:33] = struct.pack(">I", zlib.crc32(huge[12:29]))
    for content in (b"no picture", b"", bytes(huge)):
        (folder / "text.png").write_bytes(content)
        (text,) = read_pictures([{"image": "text.png", "boxes": []}], folder)
        with pytest.raises(UserError, match=r"text\.png is not a picture that can be decoded; replace it"):
            _ = text.image


def test_the_split_is_the_rows_own_or_a_steady_eighth():
    assert split_of({"image": "lfw/a.jpg", "split": "val"}) == "val"
    assert split_of({"image": "lfw/a.jpg", "split": "train"}) == "train"
    names = [f"lfw/{number}.jpg" for number in range(2000)]
    held = [name for name in names if split_of({"image": name}) == "val"]
    assert 0.09 < len(held) / len(names) < 0.15
    assert held == [name for name in names if split_of({"image": name, "boxes": []}) == "val"]


ROW = {"image": "a.png", "boxes": [[1, 2, 30, 33]], "landmarks": [[[9, 9], [20, 9], [15, 15], [10, 25], [20, 25]]]}


@pytest.mark.parametrize(
    "change",
    [
        {"image": 3}, {"image": ""}, {"image": "a\x00.png"}, {"boxes": None}, {"boxes": [[1, 2, 3]]}, {"boxes": [1]},
        {"boxes": [[1, 2, 3, "4"]]}, {"boxes": [[1, 2, 3, 1e40]]}, {"boxes": [[1, 2, 3, float("nan")]]},
        {"boxes": [[30, 2, 1, 33]]}, {"boxes": [[1, 2, 30, 2]]},
        {"landmarks": [[[1, 2]]]}, {"landmarks": [7]}, {"landmarks": [[[1, 2, 3]] * 5]},
        {"landmarks": {"a": 1}}, {"ignore": [[1]]}, {"ignore": "all"},
    ],
)  # fmt: skip
def test_entries_of_another_kind_are_told_with_their_line(tmp_path, change):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    assert read_annotations(path) == [ROW]
    path.write_text(json.dumps(ROW) + "\n", encoding="utf-8-sig")  # as Notepad begins a file
    assert read_annotations(path) == [ROW]
    path.write_text(json.dumps(ROW) + "\n" + json.dumps(ROW | change) + "\n")
    with pytest.raises(UserError, match="line 2: wanted a JSON object with image and boxes"):
        read_annotations(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_no_text_and_no_json_is_refused(tmp_path, content):
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=r"not UTF-8|wanted a JSON object"):
        read_annotations(tmp_path / "a.jsonl")


def test_what_may_show_a_face_is_not_without_one():
    row = {"image": "animals/1.png", "boxes": []}
    assert is_face_free(row)
    assert not is_face_free(row | {"boxes": [[0, 0, 9, 9]]})
    assert not is_face_free(row | {"complete": False})
    assert not is_face_free(row | {"ignore": [[0, 0, 9, 9]]})


def test_landmarks_are_by_hand_unless_the_row_says_otherwise_or_has_none(folder):
    row = ROW | {"image": "a/one.png"}
    rows = [row, row | {"gt": True}, row | {"gt": False}, row | {"landmarks": [None]}]
    assert [one.landmarks_by_hand for one in read_pictures(rows, folder)] == [True, True, False, False]
