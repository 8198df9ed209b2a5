"""The report of an evaluation: its table, and what happens without a train split."""

from __future__ import annotations

import numpy as np
import pytest

from data.sample_set import write_sample_set
from evaluation.classification.report import Settings, accuracy_text, evaluate_split, figures, load_train, table


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    folder = write_sample_set(tmp_path_factory.mktemp("sample"))
    return evaluate_split(Settings(data_path=str(folder), device="cpu"))


def test_members_duplicates_and_groups_have_their_lines(evaluation):
    scores = evaluation.scores | {
        "weights": ["a.safetensors", "b.safetensors"],
        "members": [evaluation.scores, evaluation.scores],
        "groups": {"gender": {"female": evaluation.scores}},
        "without_train_duplicates": evaluation.scores | {"duplicates": 3},
    }
    lines = list(table(scores))
    assert sum("one member" in line and ".safetensors" in line for line in lines) == 2
    assert sum("no duplicates" in line and line.endswith("less 3 that train holds too") for line in lines) == 1
    assert any(line.startswith("gender female") for line in lines)


def test_the_text_of_an_accuracy():
    scores = {"correct": 2640, "n": 3137, "accuracy": 2640 / 3137, "accuracy_interval": [0.829, 0.8541]}
    assert accuracy_text(scores) == "2,640 of 3,137 = 84.2%, 95% interval 82.9% to 85.4%"


def test_pictures_of_an_evaluation(evaluation):
    assert set(figures(evaluation)) == {"confusion", "reliability", "per_class", "mistakes"}
    assert evaluation.confusion.sum() == len(evaluation.faces)
    assert np.trace(evaluation.confusion) == evaluation.scores["correct"]


def test_without_a_train_split_no_duplicates_are_looked_for(tmp_path, capsys):
    assert load_train(str(tmp_path), "ferplus") is None
    assert "duplicates in train are not looked for" in capsys.readouterr().err
