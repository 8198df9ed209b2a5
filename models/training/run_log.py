"""What a training leaves for people to read: a line an epoch, a progress bar, metrics.csv, curves.png, TensorBoard.

In:  steps as they are done, and the rows of the run so far, one an epoch, plain numbers by name.
Out: text on stderr, the bar only where that is a terminal; files in the run's folder, each whole or not at all.

Columns: epoch, size (pixels a side), lr, train_loss (KL, nats), faces_per_s, and the scores of the validation split:
n, correct, accuracy, balanced_accuracy, macro_f1, weighted_f1, kl, js, ece_uncalibrated. The last is at temperature 1,
where `ece` in evaluation's scores.json is at the fitted temperature.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from tqdm import tqdm

from support import atomic_write, notify
from support.figures import BLUE, GREY, VERMILION, save_figure, styled

TRAINING = ("size", "lr", "train_loss", "faces_per_s")  # the other columns are scores of the validation split
HIDDEN = ("n", "correct")  # columns that a line does without
FEW = 12  # epochs of which each has its dot
PAUSE_S = 60  # between two pictures: one takes half a second


class RunLog:
    """The log of a run of so many `steps`, of which `done` were done before; `silent` writes and says nothing.

    tensorboard: write events, too, into folder/tensorboard.
    """

    def __init__(self, folder: str | Path, *, steps: int, done: int, tensorboard: bool, silent: bool) -> None:
        self.folder, self.tensorboard, self.silent = Path(folder), tensorboard, silent
        self.steps, self.before, self.done = steps, done, done
        self.began, self.drawn_at, self.writer = time.monotonic(), time.monotonic(), None
        shown = True if silent else None  # tqdm's word for "where stderr is a terminal"
        self.bar = tqdm(total=steps, initial=done, unit="step", disable=shown, dynamic_ncols=True)

    def step(self, loss: float) -> None:
        """After a step: the bar moves on, with the loss."""
        self.done += 1
        self.bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
        self.bar.update()

    def epoch(self, history: list[dict]) -> None:
        """After an epoch, whose row is the last: its line and events, the table of all, a picture now and then."""
        if self.silent:
            return
        left_s = (time.monotonic() - self.began) / max(self.done - self.before, 1) * (self.steps - self.done)
        words = [f"{name} {value:.4g}" for name, value in history[-1].items() if name not in HIDDEN]
        self.bar.clear()
        notify("  ".join([*words, f"left {datetime.timedelta(seconds=round(left_s))}"]))
        with atomic_write(self.folder / "metrics.csv") as temporary:
            pd.DataFrame(history).to_csv(temporary, index=False)
        if self.tensorboard:
            self._events(history[-1])
        if time.monotonic() - self.drawn_at > PAUSE_S:
            self._draw(history)

    def close(self, history: list[dict], sentence: str) -> None:
        """At the end, or when a person stops the run: the picture as it is by now, and a last sentence."""
        self.bar.close()
        if self.silent:
            return
        if history:
            self._draw(history)
        if self.writer is not None:
            self.writer.close()
        notify(sentence)

    def _draw(self, history: list[dict]) -> None:
        columns = {name: [row[name] for row in history] for name in history[0]}
        save_figure(training_curves(columns, title=self.folder.name), self.folder / "curves.png")
        self.drawn_at = time.monotonic()

    def _events(self, row: dict) -> None:
        from torch.utils.tensorboard import SummaryWriter  # a second to import, for those who ask for it

        if self.writer is None:  # what a run that was killed wrote of this epoch and later is void
            self.writer = SummaryWriter(self.folder / "tensorboard", purge_step=row["epoch"])
        for name, value in row.items():
            if name != "epoch":
                group = "training" if name in TRAINING else "validation"
                self.writer.add_scalar(f"{group}/{name}", value, row["epoch"])
        self.writer.flush()


def epochs_since_best(history: list[dict], column: str) -> int:
    """How many rows come after the first that is best in `column` (of kl the lowest, of others the highest)."""
    values = [-row[column] if column == "kl" else row[column] for row in history]
    return len(values) - 1 - values.index(max(values)) if values else 0


@styled
def training_curves(history: Mapping[str, Sequence[float]], *, title: str = "") -> Figure:
    """Loss, validation scores and learning rate over the epochs; `history` holds the columns of a run's metrics.csv."""
    epoch = np.asarray(history["epoch"])
    dots = {"marker": "o", "markersize": 3} if len(epoch) <= FEW else {}  # one epoch alone makes no line
    figure = Figure(figsize=(9, 3.9))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    loss, scores, rate = figure.subplots(1, 3)
    loss.plot(epoch, history["train_loss"], color=GREY, label="training, on changed faces", **dots)
    loss.plot(epoch, history["kl"], color=BLUE, label="validation", **dots)
    loss.set(title="KL to the votes, nats", ylim=(0, None))
    for column, name, colour in (("accuracy", "accuracy", BLUE), ("macro_f1", "macro-F1", VERMILION)):
        values = np.asarray(history[column])
        best = int(values.argmax())
        text = f"{name}, best {values[best]:.3f} in epoch {epoch[best]}"
        scores.plot(epoch, values, color=colour, label=text, **dots)
        scores.plot(epoch[best], values[best], "o", color=colour, markersize=6)
    scores.set(title="validation", ylim=(0, 1.02))
    rate.plot(epoch, history["lr"], color=GREY, **dots)
    rate.set(title="learning rate", ylim=(0, None))
    for axes in (loss, scores, rate):
        axes.set(xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (loss, scores):
        axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.2), borderaxespad=0)  # below: curves go anywhere
    return figure
