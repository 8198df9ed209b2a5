"""The log of a run: a table, a line an epoch, a picture, events that can be read back."""

from __future__ import annotations

import io
import sys

import cv2
import pandas as pd
import pytest
from matplotlib.figure import Figure

from models.training import run_log
from models.training.run_log import RunLog, epochs_since_best, training_curves


def row(epoch: int, **values: float) -> dict:
    scores = {"n": 24, "correct": 12, "accuracy": 0.5, "macro_f1": 0.4, "kl": 0.9}
    return {"epoch": epoch, "size": 36, "lr": 0.1, "train_loss": 1.25, "faces_per_s": 80.0} | scores | values


def test_a_run_leaves_a_table_and_a_picture(tmp_path, capsys):
    log = RunLog(tmp_path, steps=6, done=2, tensorboard=False, silent=False)
    log.step(1.5)
    log.epoch([row(1)])
    log.epoch([row(1), row(2, accuracy=0.75)])
    assert not (tmp_path / "curves.png").exists()  # a picture a minute is enough
    log.close([row(1), row(2, accuracy=0.75)], "done")
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert table["accuracy"].tolist() == [0.5, 0.75]
    assert list(table) == list(row(1))
    assert min(cv2.imread(str(tmp_path / "curves.png")).shape[:2]) > 100
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "metrics.csv"]
    first, _, last = capsys.readouterr().err.splitlines()  # no bar where stderr is no terminal
    assert first.startswith("epoch 1  size 36  lr 0.1  train_loss 1.25  faces_per_s 80  accuracy 0.5")
    assert "left 0:00:0" in first
    assert last == "done"


def test_the_picture_comes_again_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(run_log, "PAUSE_S", -1)
    log = RunLog(tmp_path, steps=6, done=0, tensorboard=False, silent=False)
    log.epoch([row(1)])
    assert (tmp_path / "curves.png").exists()


def test_the_time_left_is_that_of_the_steps_left(tmp_path, monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(run_log.time, "monotonic", lambda: now[0])
    log = RunLog(tmp_path, steps=1010, done=1000, tensorboard=False, silent=False)  # resumed: what was before is over
    for _ in range(4):
        log.step(1.0)
    now[0] += 20
    log.epoch([row(1)])
    assert "left 0:00:30" in capsys.readouterr().err


def test_a_silent_log_writes_nothing(tmp_path, capsys):
    log = RunLog(tmp_path, steps=6, done=0, tensorboard=True, silent=True)
    log.step(1.0)
    log.epoch([row(1)])
    log.close([row(1)], "done")
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err == ""


def test_on_a_terminal_a_bar_shows_steps_and_time_left(tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    log = RunLog(tmp_path, steps=4, done=1, tensorboard=False, silent=False)
    log.bar.mininterval = 0
    log.step(0.625)
    log.bar.refresh()
    text = sys.stderr.getvalue()
    log.close([], "done")
    assert "2/4 [" in text
    assert "loss 0.625" in text


def test_events_are_those_of_the_table(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for done, epochs in ((0, (1, 2)), (2, (2, 3))):  # killed after epoch 2 was written, resumed from epoch 1
        log = RunLog(tmp_path, steps=6, done=done, tensorboard=True, silent=False)
        for epoch in epochs:
            log.epoch([row(epoch, accuracy=epoch / 4)])
        log.writer.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert "training/lr" in events.Tags()["scalars"]
    found = [(event.step, event.value) for event in events.Scalars("validation/accuracy")]
    assert found == [(1, 0.25), (2, 0.5), (3, 0.75)]


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [("macro_f1", [0.2, 0.5, 0.5, 0.4], 2), ("kl", [0.9, 0.5, 0.6], 1), ("accuracy", [0.1, 0.2], 0), ("kl", [], 0)],
)
def test_epochs_since_the_best(column, values, expected):
    assert epochs_since_best([{column: value} for value in values], column) == expected


def drawn(figure: Figure) -> Figure:
    """The figure, after it has been drawn once: layout and texts have been worked out."""
    figure.savefig(io.BytesIO(), format="png", dpi=30)
    return figure


def test_training_curves_mark_the_best_epoch():
    history = {
        "epoch": [1, 2, 3],
        "train_loss": [1.5, 1.0, 0.8],
        "kl": [1.2, 0.9, 0.95],
        "accuracy": [0.5, 0.8, 0.7],
        "macro_f1": [0.3, 0.4, 0.5],
        "lr": [0.1, 0.05, 0.0],
    }
    loss, scores, rate = drawn(training_curves(history, title="run")).axes
    assert [list(line.get_ydata()) for line in loss.lines] == [history["train_loss"], history["kl"]]
    found = [text.get_text() for text in scores.get_legend().get_texts()]
    assert found == ["accuracy, best 0.800 in epoch 2", "macro-F1, best 0.500 in epoch 3"]
    marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in scores.lines[1::2]]
    assert marks == [(2, 0.8), (3, 0.5)]
    assert list(rate.lines[0].get_ydata()) == history["lr"]
    assert rate.lines[0].get_marker() == "o"
    many = drawn(training_curves({name: 7 * values for name, values in history.items()}))
    assert many.axes[2].lines[0].get_marker() == "None"
