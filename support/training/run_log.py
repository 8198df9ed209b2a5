"""What a training writes for people: a progress bar, a line and a row of metrics.csv a validation, TensorBoard events.

In:  steps as they are done; the history, one row of plain numbers by name a validation.
Out: text on stderr, the bar only where that is a terminal; files in the run's folder, each whole or not at all.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from tqdm import tqdm

from support.cli import notify
from support.figures import save_figure
from support.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch.utils.tensorboard import SummaryWriter

Row = dict[str, float]
ESTIMATE_AFTER_S = 3  # of steps: the first ones are slow
FIGURE_INTERVAL_S = 60  # between two figures: one takes half a second


class RunLog:
    """The log of a run.

    steps, done: steps of the whole run, and how many were done before. silent: write and say nothing.
    training: columns that describe the training; the others, but for the first, which numbers the rows, are scores of
        the validation. hidden: columns that go into metrics.csv, but not into the line.
    tensorboard: also write events, into folder/tensorboard.
    growth: how much longer the mean step of the run takes than its first ones.
    figure: makes a figure, curves.png, of a table of all rows and a title; at most one a minute, and one at the end.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        steps: int,
        done: int,
        silent: bool,
        training: Collection[str],
        hidden: Collection[str] = (),
        tensorboard: bool = False,
        figure: Callable[..., Figure] | None = None,
        growth: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.silent, self.figure = Path(folder), silent, figure
        self.training, self.hidden, self.tensorboard = training, hidden, tensorboard
        self.steps, self.before, self.done = steps, done, done
        self.clock, self.began, self.figure_at = clock, clock(), clock()
        self.growth, self.estimated = growth, silent
        self.writer: SummaryWriter | None = None
        disable = True if silent else None  # None: tqdm looks whether stderr is a terminal
        self.bar = tqdm(total=steps, initial=done, unit="step", disable=disable, dynamic_ncols=True)

    def step(self, loss: float) -> None:
        """After a step: advance the bar, and show the loss."""
        self.done += 1
        self.bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
        self.bar.update()
        if not self.estimated and self.clock() - self.began > ESTIMATE_AFTER_S:
            self.estimated = True
            left_s = self._left_s() * self.growth
            self.bar.clear()
            notify(
                f"about {datetime.timedelta(seconds=round(left_s))} for the {self.steps - self.done:,} steps to come"
            )

    def _left_s(self) -> float:
        """Seconds that the rest takes at the pace until now."""
        return (self.clock() - self.began) / max(self.done - self.before, 1) * (self.steps - self.done)

    def row(self, history: list[Row]) -> None:
        """After a validation, whose row is the last of `history`: its line and events, the table, perhaps a figure."""
        if self.silent:
            return
        left_s = self._left_s()
        (index, number), *values = history[-1].items()
        words = [f"{name} {value:.4g}" for name, value in values if name not in self.hidden]
        self.bar.clear()
        notify("  ".join([f"{index} {number:g}", *words, f"left {datetime.timedelta(seconds=round(left_s))}"]))
        self._save_table(history)
        if self.tensorboard:
            self._write_events(int(number), values)
        if self.clock() - self.figure_at > FIGURE_INTERVAL_S:
            self._save_figure(history)

    def close(self, history: list[Row], sentence: str) -> None:
        """At the end of a run, or when it is stopped: table and figure as they are by now, and a last sentence."""
        self.bar.close()
        if self.silent:
            return
        if history:
            self._save_table(history)  # again, for a run that was killed between its last state and its last row
            self._save_figure(history)
        if self.writer is not None:
            self.writer.close()
        notify(sentence)

    def _save_table(self, history: list[Row]) -> None:
        with atomic_write(self.folder / "metrics.csv") as temporary:
            pd.DataFrame(history).to_csv(temporary, index=False)

    def _save_figure(self, history: list[Row]) -> None:
        if self.figure is not None:
            title = self.folder.name.encode("utf-8", "replace").decode()  # bytes that are not UTF-8 have no letters
            save_figure(self.figure(pd.DataFrame(history), title=title), self.folder / "curves.png")
        self.figure_at = self.clock()

    def _write_events(self, number: int, values: list[tuple[str, float]]) -> None:
        from torch.utils.tensorboard import SummaryWriter  # takes a second to import

        if self.writer is None:  # what a killed run wrote of this row and later ones is void
            self.writer = SummaryWriter(self.folder / "tensorboard", purge_step=number)
        for name, value in values:
            group = "training" if name in self.training else "validation"
            self.writer.add_scalar(f"{group}/{name}", value, number)
        self.writer.flush()
