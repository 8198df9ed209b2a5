"""The rows of a classifier's training: the columns of metrics.csv, and its training curves.

In:  the rows of a run, one an epoch.
Out: a figure; and how many epochs ago a score was best.

Columns: epoch, size (pixels a side), lr (after the epoch), train_loss (nats; KL to the training's own targets: votes,
smoothed, mixed or joined with teachers as its flags say, weighted by class), faces_per_s, and the scores of the
validation split: n, correct, accuracy, balanced_accuracy, macro_f1, weighted_f1, kl, js (nats), ece_uncalibrated. The
last is at temperature 1, where `ece` in the scores.json of evaluation is at the fitted temperature.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.training.settings import SCORES
from support.figures import BLUE, GREY, VERMILION, styled
from support.training.run_log import Row
from support.training.state_check import check_count, check_history, check_part

TRAINING_COLUMNS = ("size", "lr", "train_loss", "faces_per_s")
HIDDEN_COLUMNS = ("n", "correct")
FEW = 12  # epochs that are marked with a dot each


def epochs_since_best(history: list[Row], column: str) -> int:
    """How many rows come after the first that is best in `column` (of kl the lowest, of others the highest)."""
    values = [-row[column] if column == "kl" else row[column] for row in history]
    return len(values) - 1 - values.index(max(values)) if values else 0


def progress_of(state: dict, *, epochs: int, steps: int) -> tuple[tuple[int, int, float], list[Row]]:
    """(epoch, step, sum of losses) and history of a saved state; `UserError` where no run could have saved them.

    epochs, steps: how many the run has, and how many an epoch has.
    """
    check_part(state.get("progress"), (0, 0, 0.0), what="progress")
    epoch, step, loss_sum = state["progress"]
    check_count(epoch, epochs, what="progress")
    check_count(step, steps, what="progress")
    check_history(state.get("history"), rows=epoch, columns=["epoch", *TRAINING_COLUMNS, *SCORES])
    return (epoch, step, loss_sum), state["history"]


@styled
def training_curves(history: pd.DataFrame, *, title: str) -> Figure:
    """Three panels beside each other, from a table of one row an epoch."""
    epoch = history["epoch"]
    style = {"marker": "o", "markersize": 3} if len(epoch) <= FEW else {}  # one epoch alone makes no line
    figure = Figure(figsize=(9, 3.9))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    loss, scores, rate = figure.subplots(1, 3)
    loss.plot(epoch, history["train_loss"], color=GREY, label="training, to its targets, faces augmented", **style)
    loss.plot(epoch, history["kl"], color=BLUE, label="validation, to the votes", **style)
    loss.set(title="KL, nats", ylim=(0, None))
    for column, name, colour in (("accuracy", "accuracy", BLUE), ("macro_f1", "macro-F1", VERMILION)):
        values, best = history[column], int(history[column].argmax())
        text = f"{name}, best {values.iloc[best]:.3f} in epoch {epoch.iloc[best]:g}"
        scores.plot(epoch, values, color=colour, label=text, **style)
        scores.plot(epoch.iloc[best], values.iloc[best], "o", color=colour, markersize=6)
    scores.set(title="validation", ylim=(0, 1.02))
    rate.plot(epoch, history["lr"], color=GREY, **style)
    rate.set(title="learning rate", ylim=(0, None))
    for axes in (loss, scores, rate):
        axes.set(xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if axes is not rate:
            axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.2), borderaxespad=0)  # below the panel
    return figure
