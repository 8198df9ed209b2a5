"""The command: scores.json, pictures and the table, and numbers counted another way."""

from __future__ import annotations

import contextlib
import io
import json

import cv2
import numpy as np
import pytest
from helpers.tiny_sets import write_grey, write_lines

from data.datasets import all_formats, load_faces
from evaluation.classification.__main__ import main
from evaluation.classification.report import Settings, closed_words, load_train
from evaluation.classification.tables import accuracy_text, table
from models.checkpoint import SHIPPED
from models.classifier import Classifier
from support import UserError

KEYS = ("n", "correct", "accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "kl", "js", "ece", "per_class")
PICTURES = ("confusion", "reliability", "per_class", "mistakes", "curves")
TABLES = ("confusion.csv", "curves.csv", "predictions.csv", "report.txt", "table.tex")


@pytest.fixture(scope="module")
def command(folder, tmp_path_factory):
    """The command's folder and the lines that it printed, for the shipped network on the sample's test split."""
    out = tmp_path_factory.mktemp("out") / "deep"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["--data-path", str(folder), "--out", str(out), "--device", "cpu"]) == 0
    return out, printed.getvalue().splitlines()


def test_scores_are_complete_and_correct(command, folder):
    scores = json.loads((command[0] / "scores.json").read_text(encoding="utf-8"))
    assert set(KEYS) <= scores.keys()
    faces = load_faces(folder, "test")
    predicted = Classifier.from_file().probabilities(faces.images).argmax(axis=1)
    assert scores["n"] == len(faces) == 12
    assert scores["correct"] == (predicted == faces.labels).sum()
    assert scores["accuracy"] == scores["correct"] / 12
    assert scores["accuracy_interval"][0] <= scores["accuracy"] <= scores["accuracy_interval"][1]
    assert [row["support"] for row in scores["per_class"].values()] == np.bincount(faces.labels, minlength=8).tolist()
    assert (scores["dataset"], scores["split"], scores["weights"]) == ("ferplus", "test", [str(SHIPPED)])
    assert "majority" in scores["protocol"]
    assert scores["without_train_duplicates"]["duplicates"] == 0


def test_pictures_are_pictures(command):
    for name in PICTURES:
        assert min(cv2.imread(str(command[0] / f"{name}.png")).shape[:2]) > 100
    assert sorted(path.name for path in command[0].iterdir()) == sorted(
        [*(f"{p}.png" for p in PICTURES), *TABLES, "scores.json"]
    )


def test_the_table_holds_counts_and_classes(command):
    scores = json.loads((command[0] / "scores.json").read_text(encoding="utf-8"))
    lines = command[1]
    assert any(line.startswith("accuracy") and f"{scores['correct']} of 12 = " in line for line in lines)
    assert any(line.split()[:1] == ["happiness"] and line.split()[-1] == "6" for line in lines)
    assert not any("no duplicates" in line for line in lines)


def test_train_has_no_duplicates_in_train_and_several_weights_make_members(folder, tmp_path, capsys):
    weights = [str(SHIPPED), str(SHIPPED)]
    where = ["--data-path", str(folder), "--dataset", "ferplus", "--split", "train"]
    assert main([*where, "--out", str(tmp_path), "--device", "cpu", "--tta", "--weights", *weights]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert "without_train_duplicates" not in scores
    assert scores["tta"] is True
    assert [member["kl"] for member in scores["members"]] == [pytest.approx(scores["kl"], rel=1e-6)] * 2
    assert capsys.readouterr().out.count("one member") == 2


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--data-path", "nowhere"], "nowhere is no folder"),
        (["--weights", "nothing.safetensors"], "there is no file nothing.safetensors"),
        (["--dataset", "imagenet"], "--dataset takes"),
    ],
)
def test_missing_input_is_refused_in_one_sentence(flags, sentence, folder, tmp_path):
    given = ["--data-path", str(folder), "--out", str(tmp_path), "--device", "cpu", *flags]
    with pytest.raises(UserError, match=sentence):
        main(given)
    assert not list(tmp_path.iterdir())


def test_members_duplicates_and_groups_have_their_lines(command):
    scores = json.loads((command[0] / "scores.json").read_text(encoding="utf-8"))
    scores |= {
        "weights": ["a.safetensors", "b.safetensors"],
        "members": [scores, scores],
        "groups": {"gender": {"female": scores}},
        "without_train_duplicates": scores | {"duplicates": 3},
    }
    lines = list(table(scores))
    assert sum("one member" in line and ".safetensors" in line for line in lines) == 2
    assert sum("no duplicates" in line and line.endswith("less 3 that train holds too") for line in lines) == 1
    assert any(line.startswith("gender female") for line in lines)


def test_the_table_says_which_figure_is_of_a_closed_set(command):
    scores = json.loads((command[0] / "scores.json").read_text(encoding="utf-8"))
    classes = {"of_the_set": ["a", "b"], "forbidden": ["c"], "unknown_to_the_network": ["b"]}
    assert closed_words(classes) == (
        "; closed set: answers only among its 2 classes, never c"
        "; the network does not know b: such faces count as wrong"
    )
    assert closed_words(scores["classes"]) == ""
    lines = list(table(scores | {"own_answers": scores | {"correct": 5}, "known_classes": scores | {"correct": 7}}))
    assert sum(line.startswith("accuracy") and line.endswith(", closed set") for line in lines) == 1
    assert sum("own answers" in line and " 5 of 12 = " in line for line in lines) == 1
    assert sum("known classes" in line and " 7 of 12 = " in line for line in lines) == 1
    assert not any("closed set" in line for line in command[1])


def test_the_text_of_an_accuracy():
    scores = {"correct": 2640, "n": 3137, "accuracy": 2640 / 3137, "accuracy_interval": [0.829, 0.8541]}
    assert accuracy_text(scores) == "2,640 of 3,137 = 84.2 %, 95 % interval 82.9 % to 85.4 %"


def test_without_a_train_split_no_duplicates_are_looked_for(tmp_path, capsys):
    assert load_train(Settings(data_path=str(tmp_path)), all_formats()["ferplus"]) is None
    assert "duplicates in train are not looked for" in capsys.readouterr().err


def test_attributes_without_groups_are_said(tmp_path, capsys):
    rows = [f"{number}.png,{('happy', 'sad')[number % 2]},test,{number},lab" for number in range(51)]
    write_lines(tmp_path / "faces.csv", ["path,label,split,id,site", *rows])
    for number in range(51):
        write_grey(tmp_path / f"{number}.png", number)
    assert main(["--data-path", str(tmp_path), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("no scores by id: of more than 50 values") == 1
    assert "site lab" in captured.out


def test_a_network_is_compared_with_its_own_predictions(command, folder, tmp_path, capsys):
    given = ["--data-path", str(folder), "--out", str(tmp_path), "--device", "cpu"]
    assert main([*given, "--compare", str(command[0] / "predictions.csv"), str(SHIPPED)]) == 0
    found = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    assert found["n"] == 12
    assert found["accuracy"]["difference"] == 0
    scores = json.loads((command[0] / "scores.json").read_text(encoding="utf-8"))
    assert found["about"] == [None, {name: scores[name] for name in ("dataset", "split", "protocol")}]
    out = capsys.readouterr().out
    assert f"\nB: {SHIPPED}, on ferplus test: {scores['protocol']}\n" in out
    assert "McNemar's test p = 1" in out
    with pytest.raises(UserError, match="--compare takes two files"):
        main([*given, "--compare", "one.csv"])
