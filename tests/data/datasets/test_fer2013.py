"""FER2013's csv: usage, labels by name, faults with their line."""

from __future__ import annotations

import functools

import pytest
from helpers.tiny_sets import edit_line, faults_of, fer_level, fer_pixels, make_fer2013, make_ferplus_csv, write_lines

from data.datasets import fer2013, load_format
from data.datasets.fer2013 import find, grey_pixels
from support import UserError

load = functools.partial(load_format, fer2013)

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")


@pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv"])
def test_usage_is_honoured_and_labels_map_by_name(tmp_path, name):
    make_fer2013(tmp_path, name=name)
    assert find(tmp_path) is not None
    for part, split in enumerate(("train", "validation", "test")):
        faces = load(tmp_path, split)
        assert faces.class_names == CLASSES
        assert [CLASSES[label] for label in faces.labels] == ["sadness", "anger", "neutral", "happiness"]
        assert [image[0, 0].tolist() for image in faces.images] == [[fer_level(part, i)] * 3 for i in range(4)]
        assert {image.shape for image in faces.images} == {(48, 48, 3)}
        assert faces.names[0] == f"line {2 + 4 * part}"
        assert not faces.has_votes
        assert faces.votes[0].tolist() == [0, 0, 0, 1, 0, 0, 0]


def test_all_seven_numbers_are_kaggles(tmp_path):
    lines = [f"Training, {fer_pixels(label)}, {label}" for label in range(7)]
    write_lines(tmp_path / "icml_face_data.csv", ["Usage, pixels, emotion", *lines])  # columns in another order
    faces = load(tmp_path, "train")
    words = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    assert [CLASSES[label] for label in faces.labels] == words


def test_with_votes_beside_it_the_folder_is_ferplus(tmp_path):
    assert find(make_ferplus_csv(tmp_path)) is None
    (tmp_path / "empty").mkdir()
    assert find(tmp_path / "empty") is None


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (f"7,{fer_pixels(1)},Training", "the label must be a whole number from 0 to 6, not '7'"),
        (f"0,{fer_pixels(1)},Test", "Usage must be one of Training, PublicTest, PrivateTest, not 'Test'"),
        ("0,1 2 3,Training", "wanted 2304 pixels, found 3"),
        (f"0,{fer_pixels(256)},Training", "pixels must lie between 0 and 255, these reach from 256 to 256"),
        ("0,1 2 x,Training", "the pixels must be numbers, not '1 2 x'..."),
        (f"0,{fer_pixels(1)}", "wanted 3 fields (values as in the header), found 2"),
    ],
)
def test_faults(tmp_path, row, fault):
    make_fer2013(tmp_path)
    edit_line(tmp_path / "fer2013.csv", 3, row)
    (found,) = faults_of(load, tmp_path)
    assert found.startswith(f"fer2013.csv:3: {fault}")
    assert load(tmp_path, "train", skip_bad=True).names == ("line 2", "line 4", "line 5")


def test_pixels_stand_row_by_row():
    grey = grey_pixels(" ".join(str(i % 251) for i in range(48 * 48)))
    assert grey[0, :3].tolist() == [0, 1, 2]
    assert grey[1, 0] == 48
    assert grey[47, 47] == (48 * 48 - 1) % 251


def test_the_challenges_train_csv_is_split_by_class(tmp_path):
    lines = [f"{label},{fer_pixels(10 * label + i)}" for label in range(7) for i in range(10)]
    write_lines(tmp_path / "archive/train.csv", ["emotion,pixels", *lines])
    write_lines(tmp_path / "archive/test.csv", ["pixels", fer_pixels(1)])
    assert find(tmp_path) is not None
    parts = {split: load(tmp_path, split) for split in ("train", "validation", "test")}
    assert {split: len(faces) for split, faces in parts.items()} == {"train": 49, "validation": 7, "test": 14}
    words = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    for faces in parts.values():
        assert [faces.class_names[label] for label in faces.labels] == [
            words[image[0, 0, 0] // 10] for image in faces.images
        ]


def test_a_level_down_and_in_any_case(tmp_path):
    make_fer2013(tmp_path / "fer2013", name="FER2013.CSV")
    path = tmp_path / "fer2013/FER2013.CSV"
    path.write_text(path.read_text().replace("emotion,pixels,Usage", "Emotion, Pixels, usage"))
    assert find(tmp_path) is not None
    assert len(load(tmp_path, "test")) == 4


@pytest.mark.parametrize(
    ("value", "what"), [("4294967297", "reach from 4.29497e"), ("0.5", "have a fraction"), ("nan", "reach")]
)
def test_pixels_are_not_wrapped_round_or_cut(value, what):
    with pytest.raises(UserError, match=what):
        grey_pixels(" ".join([value] * 48 * 48))
