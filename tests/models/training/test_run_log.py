"""Training curves, and how long ago a score was best."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.figures import render

from models.training.run_log import epochs_since_best, training_curves

HISTORY = {
    "epoch": [1, 2, 3],
    "n": [24, 24, 24],
    "lr": [0.1, 0.05, 0.0],
    "train_loss": [1.5, 1.0, 0.8],
    "kl": [1.2, 0.9, 0.95],
    "accuracy": [0.5, 0.8, 0.7],
    "macro_f1": [0.3, 0.4, 0.5],
}


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [("macro_f1", [0.2, 0.5, 0.5, 0.4], 2), ("kl", [0.9, 0.5, 0.6], 1), ("accuracy", [0.1, 0.2], 0), ("kl", [], 0)],
)
def test_epochs_since_the_best(column, values, expected):
    assert epochs_since_best([{column: value} for value in values], column) == expected


def test_training_curves_mark_the_best_epochs():
    loss, scores, rate = training_curves(pd.DataFrame(HISTORY), title="run").axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [HISTORY["train_loss"], HISTORY["kl"]]
    # the training's targets are the votes only without smoothing, mixing, teachers and weights
    assert loss.get_title(loc="left") == "KL, nats"
    named = [text.get_text() for text in loss.get_legend().get_texts()]
    assert named == ["training, to its targets, faces augmented", "validation, to the votes"]
    found = [text.get_text() for text in scores.get_legend().get_texts()]
    assert found == ["accuracy, best 0.800 in epoch 2", "macro-F1, best 0.500 in epoch 3"]
    marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in scores.lines[1::2]]
    assert marks == [(2, 0.8), (3, 0.5)]
    assert rate.lines[0].get_ydata().tolist() == HISTORY["lr"]


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_ticks_of_a_short_run_are_epochs(epochs):
    figure = render(training_curves(pd.DataFrame(HISTORY).head(epochs), title="run"))
    low, high = figure.axes[0].get_xlim()
    ticks = [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high]
    assert ticks == list(range(1, epochs + 1))
