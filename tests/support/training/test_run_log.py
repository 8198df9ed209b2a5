"""The log of a run: a table, a line a row, a figure, events that can be read back."""

from __future__ import annotations

import os
from typing import Any

import cv2
import pandas as pd
import pytest
from matplotlib.figure import Figure

from support.training.run_log import RunLog


def row(epoch: int, **values: float) -> dict[str, float]:
    return {"epoch": epoch, "lr": 0.1, "n": 24, "accuracy": 0.5} | values


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def log_in(tmp_path):
    """A log of six steps in `tmp_path`, closed at the end."""
    logs = []

    def make(**options: Any) -> RunLog:
        options = {"steps": 6, "done": 0, "silent": False} | options
        logs.append(RunLog(tmp_path, training=["lr"], hidden=["n"], **options))
        return logs[-1]

    yield make
    for log in logs:
        log.bar.close()


def test_a_run_leaves_a_table_and_a_line_a_row(tmp_path, log_in, capsys):
    log = log_in(done=2)
    log.step(1.5)
    log.row([row(1)])
    log.row([row(1), row(2, accuracy=0.75)])
    log.close([row(1), row(2, accuracy=0.75)], "done")
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert table["accuracy"].tolist() == [0.5, 0.75]
    assert list(table) == list(row(1))
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]
    first, _, last = capsys.readouterr().err.splitlines()  # no bar where stderr is no terminal
    assert first.startswith("epoch 1  lr 0.1  accuracy 0.5  left ")
    assert last == "done"


def test_a_run_that_was_killed_before_its_last_row_gets_it_at_the_end(tmp_path, log_in):
    log_in().row([row(1)])
    log_in(done=6).close([row(1), row(2)], "done")
    assert pd.read_csv(tmp_path / "metrics.csv")["epoch"].tolist() == [1, 2]


def test_a_figure_comes_once_a_minute_and_at_the_end(tmp_path, log_in):
    tables, clock = [], Clock()

    def figure(table: pd.DataFrame, *, title: str) -> Figure:
        assert title == tmp_path.name
        tables.append(table)
        return Figure()

    log = log_in(figure=figure, clock=clock)
    log.row([row(1)])
    assert not tables
    clock.now += 61
    log.row([row(1), row(2)])
    log.row([row(1), row(2), row(3)])
    log.close([row(1), row(2), row(3)], "done")
    assert [len(table) for table in tables] == [2, 3]
    assert min(cv2.imread(str(tmp_path / "curves.png")).shape[:2]) > 100


@pytest.mark.parametrize("name", [b"lr$_$x", b"a$^b$", b"a\xff"])
def test_a_folder_of_any_name_has_its_figure(tmp_path, name):
    def figure(table: pd.DataFrame, *, title: str) -> Figure:
        drawn = Figure()
        drawn.suptitle(title)
        return drawn

    try:
        (folder := tmp_path / os.fsdecode(name)).mkdir()
    except OSError:
        pytest.skip("no such names there")
    RunLog(folder, steps=1, done=1, silent=False, training=[], figure=figure).close([row(1)], "done")
    assert (folder / "curves.png").stat().st_size > 1000


def test_the_time_left_is_that_of_the_steps_left(log_in, capsys):
    clock = Clock()
    log = log_in(steps=1010, done=1000, clock=clock)  # resumed: what was before does not count
    for _ in range(4):
        log.step(1.0)
    clock.now += 20
    log.row([row(1)])
    assert "left 0:00:30" in capsys.readouterr().err


def test_a_silent_log_writes_nothing(tmp_path, log_in, capsys):
    log = log_in(silent=True, tensorboard=True)
    log.step(1.0)
    log.row([row(1)])
    log.close([row(1)], "done")
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err == ""


def test_events_are_those_of_the_table(tmp_path, log_in):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for done, epochs in ((0, (1, 2)), (2, (2, 3))):  # killed after epoch 2 was written, resumed from epoch 1
        log = log_in(done=done, tensorboard=True)
        for epoch in epochs:
            log.row([row(epoch, accuracy=epoch / 4)])
        log.writer.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert "training/lr" in events.Tags()["scalars"]
    found = [(event.step, event.value) for event in events.Scalars("validation/accuracy")]
    assert found == [(1, 0.25), (2, 0.5), (3, 0.75)]


def test_after_a_few_seconds_it_says_how_long_the_rest_will_take(tmp_path, capsys):
    now = [0.0]
    log = RunLog(tmp_path, steps=100, done=0, silent=False, training=(), growth=1.5, clock=lambda: now[0])
    for _ in range(10):
        now[0] += 0.5
        log.step(1.0)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("about ")]
    assert said == ["about 0:01:10 for the 93 steps to come"]  # after 3.5 s: 0.5 s a step, half as long again
    quiet = RunLog(tmp_path, steps=9, done=0, silent=True, training=(), clock=lambda: now[0])
    now[0] += 99
    quiet.step(1.0)
    assert "about" not in capsys.readouterr().err
