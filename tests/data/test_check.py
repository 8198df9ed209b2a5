"""The report on a data set: what it is, counts, agreement, faults and the exit code."""

from __future__ import annotations

import os
import re
import sys

import numpy as np
import pytest
from helpers.tiny_formats import make_csv_list
from helpers.tiny_sets import (
    make_ferplus,
    make_image_folder,
    make_raf_official,
    make_raf_reference,
    write_grey,
    write_lines,
)

from data.check import column, main
from data.datasets import load_faces, load_for_training
from data.face_set import FaceSet
from support import UserError


def table(out: str) -> dict[str, list[str]]:
    """{first column: the other three}."""
    rows = [line.rsplit(maxsplit=3) for line in out.splitlines()]
    return {row[0].strip(): row[1:] for row in rows if len(row) == 4}


def test_a_sound_data_set_with_votes(tmp_path, capsys):
    assert main([str(make_raf_reference(tmp_path))]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{tmp_path} is laid out like raf_db: RAF-DB")
    assert out.endswith("no faults\n")
    rows = table(out)
    assert rows["all"] == ["35", "7", "7"]
    assert rows["happiness"] == ["5", "1", "1"]
    assert re.search(r"label is top vote( +100\.0 %){3}\n", out)
    assert "vote entropy" in out


def test_labels_only(tmp_path, capsys):
    assert main([str(make_image_folder(tmp_path, {"bored": 20, "sad": 20})), "--dataset", "image_folder"]) == 0
    out = capsys.readouterr().out
    assert out.count("labels only") == 3
    assert table(out)["bored"] == ["14", "2", "4"]


@pytest.mark.skipif(sys.platform != "linux", reason="such names are Linux's")
def test_a_class_folder_may_have_any_name(tmp_path, capsys):
    make_image_folder(tmp_path, {os.fsdecode(b"bored\xff"): 20, "sad": 20})
    assert main([str(tmp_path), "--dataset", "image_folder"]) == 0
    out = capsys.readouterr().out
    assert table(out)[r"bored\xff"] == ["14", "2", "4"]
    assert r"no network can be trained on the name bored\xff; rename it" in out


def test_every_fault_is_told_once_and_the_code_is_1(tmp_path, capsys):
    make_raf_official(tmp_path)
    path = tmp_path / "EmoLabel/list_patition_label.txt"
    path.write_text(path.read_text().replace("train_00002.jpg 2", "train_00002.jpg 9"))
    (tmp_path / "Image/aligned/test_0001_aligned.jpg").unlink()
    assert main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "2 faults"
    assert lines[-3].startswith(f"{path}:2: the label must be a whole number from 1 to 7")
    assert lines[-2].startswith(f"{path}:43: cannot open")
    assert table("\n".join(lines))["all"][2] == "6"


def test_a_split_of_faults_alone_has_no_counts(tmp_path, capsys):
    make_ferplus(tmp_path)
    path = tmp_path / "FER2013Test/label.csv"
    path.write_text(path.read_text().replace(",", "|"))
    assert main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert table(out)["all"] == ["3", "2", "-"]
    assert out.endswith("4 faults\n")


def test_files_that_nobody_reads_are_said_and_no_fault(tmp_path, capsys):
    make_image_folder(tmp_path / "train", {"bored": 20, "sad": 20})
    make_image_folder(tmp_path / "test", {"bored": 5, "sad": 5})
    assert main([str(tmp_path)]) == 0
    assert "left out" not in capsys.readouterr().out
    (tmp_path / "train" / "sad" / "notes.txt").touch()
    (tmp_path / "train" / "sad" / "Thumbs.db").touch()  # a system's own
    assert main([str(tmp_path)]) == 0
    assert "\n1 other file lies in the class folders: left out\n" in capsys.readouterr().out
    (tmp_path / "test" / "bored" / "more").mkdir()
    (tmp_path / "test" / "bored" / "more" / "a.psd").touch()
    (tmp_path / "val2" / "sad").mkdir(parents=True)
    for place in ("a.png", "train/b.jpg", "val2/sad/c.png"):
        (tmp_path / place).touch()
    (tmp_path / "README.txt").touch()
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "\n3 pictures lie outside the class folders and 2 other files in them: left out\nno faults\n" in out


def test_a_picture_beside_the_class_folders_of_one_tree_is_said(tmp_path, capsys):
    make_image_folder(tmp_path / "set", {"bored": 20, "sad": 20})
    (tmp_path / "a.png").touch()  # beside the only folder, in which the classes are found
    assert main([str(tmp_path)]) == 0
    assert "\n1 picture lies outside the class folders: left out\n" in capsys.readouterr().out


def test_entropy_of_votes():
    votes = np.array([[1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]], np.float32)
    faces = FaceSet(np.zeros((2, 4, 4, 3), np.uint8), votes, np.array([0, 1]), ("a", "b"), tuple("wxyz"))
    assert column(faces.rows([0]))["vote entropy"] == "0.000 nats"
    assert column(faces)["vote entropy"] == f"{np.log(4) / 2:.3f} nats"
    tiny = FaceSet(faces.images[:1], np.array([[1, 1e-39]], np.float32), np.array([0]), ("a",), ("w", "x"))
    assert column(tiny)["vote entropy"] == "0.000 nats"


def test_duplicates_between_splits_are_counted(tmp_path, capsys):
    make_image_folder(tmp_path, {"train/happy": 6, "train/sad": 2, "test/sad": 3, "validation/sad": 1})
    assert main([str(tmp_path)]) == 0
    rows = table(capsys.readouterr().out)
    assert rows["in another split too"] == ["5", "1", "3"]


def test_doubts_are_told_in_words_and_the_code_is_1(tmp_path, capsys):
    make_raf_reference(tmp_path)
    for split in ("train", "test"):
        path = tmp_path / f"EmoLabel/emo_distribution_{split}.csv"
        rows = [line.split(",") for line in path.read_text().splitlines()]
        doubled = [",".join([name, *votes[-1:], *votes[:-1]]) for name, *votes in rows]
        path.write_text("".join(f"{line}\n" for line in doubled))
    assert main([str(tmp_path)]) == 0  # fewer than ten of each class: too few to tell
    for label, number in (("happy", 15), ("aligned", 15)):
        make_image_folder(tmp_path / "other", {label: number})
    assert main([str(tmp_path / "other")]) == 1
    out = capsys.readouterr().out
    assert "in doubt (class-names): the folders aligned would be classes" in out


def test_faults_of_every_row_are_told_without_a_table_or_a_warning(tmp_path, capsys, caplog):
    write_lines(tmp_path / "faces.csv", ["path,label", "gone.png,happy", "lost.png,sad"])
    assert main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert out.endswith("2 faults\n")
    assert "DataFrame" not in out
    assert not caplog.messages
    with pytest.raises(UserError):
        load_faces(tmp_path, "all", skip_bad=True)
    assert "these rows are left out" in caplog.text


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_votes_in_another_order_are_in_doubt_in_every_split(tmp_path, capsys, split):
    rows = []
    for number in range(120):
        write_grey(tmp_path / f"{number}.png", number)
        part, happy = ("train", "validation", "test")[number // 40], number % 2
        votes = (1 - happy, happy) if part == split else (happy, 1 - happy)
        rows.append(f"{number}.png,{('sad', 'happy')[happy]},{votes[0]},{votes[1]},{part}")
    write_lines(tmp_path / "faces.csv", ["path,label,p_happy,p_sad,split", *rows])
    assert main([str(tmp_path)]) == 1
    doubt = f"in doubt (vote-order): the label is the top vote for 0 % of the faces ({split}); by most votes the faces "
    out = capsys.readouterr().out
    assert out.count("in doubt") == out.count(doubt) == 1
    with pytest.raises(UserError, match="train in spite of it with --accept vote-order"):
        load_for_training(tmp_path)
    assert len(load_for_training(tmp_path, accept=["vote-order"])[0]) == 40


def test_a_split_without_a_face_of_the_mapped_classes_is_empty(tmp_path, capsys):
    for number in range(6):
        write_grey(tmp_path / f"{number}.png", number)
    rows = ["0.png,happy,train", "1.png,sad,train", "2.png,contempt,val", "3.png,happy,test", "4.png,sad,test"]
    write_lines(tmp_path / "faces.csv", ["path,label,split", *rows])
    mapping = str(write_lines(tmp_path / "map.txt", ["contempt -"]))
    assert main([str(tmp_path), "--classes", mapping]) == 0
    assert table(capsys.readouterr().out)["all"] == ["2", "-", "2"]
    assert load_faces(tmp_path, "all", classes=mapping).names == ("0.png", "1.png", "3.png", "4.png")
    write_lines(tmp_path / "map.txt", ["contempt -", "happy -", "sad -"])
    assert main([str(tmp_path), "--classes", mapping]) == 1
    assert f"{tmp_path}: --classes leaves no face of 2; name classes" in capsys.readouterr().out
    with pytest.raises(UserError, match="--classes leaves no face of 2"):
        load_faces(tmp_path, "all", classes=mapping)


def test_people_and_numbered_classes_are_remarked(tmp_path, capsys):
    make_csv_list(tmp_path / "list")
    assert main([str(tmp_path / "list")]) == 0
    rows = table(capsys.readouterr().out)
    assert sum(map(int, rows["people"])) == 10
    make_image_folder(tmp_path / "numbers", {"0": 20, "1": 20})
    assert main([str(tmp_path / "numbers")]) == 0
    assert "the class names are numbers; --classes FILE says" in capsys.readouterr().out
    mapping = write_lines(tmp_path / "map.txt", ["0 happy", "1 sad"])
    assert main([str(tmp_path / "numbers"), "--classes", str(mapping)]) == 0
    out = capsys.readouterr().out
    assert table(out)["happiness"] == ["14", "2", "4"]
    assert "are numbers" not in out
