"""The command: scores.json, pictures, a table; from files to numbers that are counted another way."""

from __future__ import annotations

import contextlib
import io
import json

import cv2
import numpy as np
import pytest

from data.datasets import load_faces
from data.sample_set import write_sample_set
from evaluation.classification.__main__ import hits, main, table
from models.checkpoint import SHIPPED
from models.classifier import Classifier
from support import UserError

KEYS = ("n", "correct", "accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "kl", "js", "ece", "per_class")
PICTURES = ("confusion", "reliability", "per_class", "mistakes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_sample_set(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def evaluated(folder, tmp_path_factory):
    """The command's folder and the lines that it printed, for the shipped network on the sample's test split."""
    out = tmp_path_factory.mktemp("out") / "deep"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["--data-path", str(folder), "--out", str(out), "--device", "cpu"]) == 0
    return out, printed.getvalue().splitlines()


def test_scores_are_complete_and_counted_right(evaluated, folder):
    scores = json.loads((evaluated[0] / "scores.json").read_text(encoding="utf-8"))
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
    assert scores["without_train_twins"]["duplicates"] == 0


def test_pictures_are_pictures(evaluated):
    for name in PICTURES:
        assert min(cv2.imread(str(evaluated[0] / f"{name}.png")).shape[:2]) > 100
    assert sorted(path.name for path in evaluated[0].iterdir()) == sorted(
        [*(f"{p}.png" for p in PICTURES), "scores.json"]
    )


def test_the_table_says_how_many_of_how_many(evaluated):
    scores = json.loads((evaluated[0] / "scores.json").read_text(encoding="utf-8"))
    lines = evaluated[1]
    assert any(line.startswith("accuracy") and f"{scores['correct']} of 12 = " in line for line in lines)
    assert any(line.split()[:1] == ["happiness"] and line.split()[-1] == "6" for line in lines)
    assert not any("no train duplicates" in line for line in lines)


def test_members_twins_and_groups_have_their_lines(evaluated):
    scores = json.loads((evaluated[0] / "scores.json").read_text(encoding="utf-8"))
    scores |= {
        "weights": ["a.safetensors", "b.safetensors"],
        "members": [scores, scores],
        "groups": {"gender": {"female": scores}},
        "without_train_twins": scores["without_train_twins"] | {"duplicates": 3},
    }
    lines = list(table(scores))
    assert sum("one member" in line and ".safetensors" in line for line in lines) == 2
    assert sum("no train duplicates" in line for line in lines) == 1
    assert any(line.startswith("gender female") for line in lines)


def test_the_words_of_an_accuracy():
    scores = {"correct": 2640, "n": 3137, "accuracy": 2640 / 3137, "accuracy_interval": [0.829, 0.8541]}
    assert hits(scores) == "2,640 of 3,137 = 84.2%, 95% interval 82.9% to 85.4%"


def test_train_is_compared_with_no_twins_and_several_weights_make_members(folder, tmp_path, capsys):
    weights = [str(SHIPPED), str(SHIPPED)]
    where = ["--data-path", str(folder), "--dataset", "ferplus", "--split", "train"]
    assert main([*where, "--out", str(tmp_path), "--device", "cpu", "--tta", "--weights", *weights]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert "without_train_twins" not in scores
    assert scores["tta"] is True
    assert [member["kl"] for member in scores["members"]] == [pytest.approx(scores["kl"], rel=1e-6)] * 2
    assert capsys.readouterr().out.count("one member") == 2


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--data-path", "nowhere"], "there is no folder nowhere"),
        (["--weights", "nothing.safetensors"], "there is no file nothing.safetensors"),
        (["--dataset", "imagenet"], "--dataset takes"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(flags, sentence, folder, tmp_path):
    given = ["--data-path", str(folder), "--out", str(tmp_path), "--device", "cpu", *flags]
    with pytest.raises(UserError, match=sentence):
        main(given)
    assert not list(tmp_path.iterdir())
