"""AffectNet: both releases, labels by name, the published validation set as test."""

from __future__ import annotations

import functools

import numpy as np
from helpers.tiny_formats import make_affectnet, make_affectnet_lists
from helpers.tiny_sets import edit_line, faults_of, write_lines

from data.datasets import affectnet, load_format

load = functools.partial(load_format, affectnet)
LABELS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")  # as published


def test_the_cropped_release(tmp_path):
    make_affectnet(tmp_path)
    test = load(tmp_path, "test")
    assert [test.class_names[label] for label in test.labels] == list(LABELS)  # the ninth face has none
    train = load(tmp_path, "train")
    assert len(train) + len(load(tmp_path, "validation")) == 24
    for name, label in zip(train.names, train.labels, strict=True):
        assert train.class_names[label] == LABELS[int(name.split("/")[-1].split(".")[0]) % 8]


def test_the_full_release_is_cut_to_its_boxes(tmp_path):
    make_affectnet_lists(tmp_path)
    test = load(tmp_path, "test")
    assert [test.class_names[label] for label in test.labels] == list(LABELS)
    for number, image in enumerate(test.images):
        assert image.shape == (6, 6, 3)
        assert (image == number + 50).all()


def test_faults_of_annotations(tmp_path):
    make_affectnet(tmp_path)
    folder = tmp_path / "train_set/annotations"
    (folder / "0_exp.npy").unlink()
    (folder / "1_exp.npy").write_bytes(b"half")
    np.save(folder / "2_exp.npy", np.array("11"))
    np.save(folder / "3_exp.npy", np.array([1, 2]))
    np.save(folder / "4_exp.npy", np.array(4.0))  # a number is as good as a text
    np.savez(folder / "5.npz", np.array("5"))
    (folder / "5.npz").rename(folder / "5_exp.npy")
    gone, half, eleven, two, several = sorted(faults_of(load, tmp_path, "test"))
    assert "0_exp.npy: there is no annotation for this picture" in gone
    assert "1_exp.npy: this is no .npy file of one label" in half
    assert "2_exp.npy: the label must be a whole number from 0 to 10, not '11'" in eleven
    assert "3_exp.npy: wanted one label, found 2 values" in two
    assert "5_exp.npy: this is no .npy file of one label" in several


def test_an_annotation_cannot_bring_code(tmp_path):
    make_affectnet(tmp_path)
    np.save(tmp_path / "train_set/annotations/0_exp.npy", np.array({"a": 1}), allow_pickle=True)
    (fault,) = faults_of(load, tmp_path, "test")
    assert "this is no .npy file of one label" in fault


def test_faults_of_lists(tmp_path):
    make_affectnet_lists(tmp_path)
    lines = (tmp_path / "training.csv").read_text().splitlines()
    write_lines(tmp_path / "training.csv", [*lines, lines[1]])
    name, number = lines[1].split(",")[0], len(lines) + 1
    assert faults_of(load, tmp_path, "test") == [f"training.csv:{number}: {name} is a duplicate of training.csv:2"]
    write_lines(tmp_path / "training.csv", lines)
    edit_line(tmp_path / "training.csv", 3, "t/1.png,a,3,6,6,1.0;2.0,1,0,0")
    assert faults_of(load, tmp_path, "test") == ["training.csv:3: the box must be four numbers, not 'a 3 6 6'"]
