"""Scores as text: the means of a classification report, and a LaTeX table whose numbers and characters are right."""

from __future__ import annotations

import pytest

from evaluation.classification.tables import classification_report, latex_table, latex_text, means

PER_CLASS = {
    "calm": {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 3},
    "glad_50%": {"precision": 1.0, "recall": 0.25, "f1": 0.4, "support": 1},
    "never": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0},
}


def test_means_are_over_the_classes_that_occur():
    found = means(PER_CLASS)
    assert found["macro avg"]["recall"] == pytest.approx(0.625)
    assert found["weighted avg"]["f1"] == pytest.approx((3 * 2 / 3 + 0.4) / 4)
    assert found["macro avg"]["support"] == 4
    lines = list(classification_report(PER_CLASS))
    assert lines[-1].split() == ["weighted", "avg", "0.625", "0.812", "0.600", "4"]


def test_columns_stand_below_each_other_whatever_the_names():
    lines = list(classification_report({"disgustedly surprised": PER_CLASS["calm"], **PER_CLASS}))
    assert {len(line) for line in lines} == {len("disgustedly surprised") + 2 + 4 * 10}
    assert {len(line) for line in classification_report(PER_CLASS)} == {16 + 4 * 10}


def test_the_latex_table_is_whole_and_escaped():
    scores = {"dataset": "x", "split": "test", "protocol": "all", "per_class": PER_CLASS, "accuracy": 0.8125,
              "accuracy_interval": [0.7, 0.9], "macro_f1": 0.533}  # fmt: skip
    lines = list(latex_table(scores))
    assert lines[0] == "% x test: all"
    assert (lines[1], lines[-1]) == (r"\begin{tabular}{lrrrr}", r"\end{tabular}")
    assert r"glad\_50\% & 1.000 & 0.250 & 0.400 & 1 \\" in lines
    assert any(r"accuracy 81.2 \% (95 \% interval 70.0 to 90.0), macro-F1 0.533" in line for line in lines)
    rows = [line for line in lines if "&" in line]
    assert {line.count("&") for line in rows} == {4}
    assert latex_text("a\\b~{}#$^") == r"a\textbackslash{}b\textasciitilde{}\{\}\#\$\textasciicircum{}"
