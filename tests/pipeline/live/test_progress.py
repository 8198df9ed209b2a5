"""The bar: what a terminal shows of it, and that lines beside it stay whole."""

from __future__ import annotations

import io
import logging
import sys
import threading

import pytest

from pipeline.live.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        """What is left on the screen once every carriage return has gone back to the start of its line."""
        lines = []
        for line in self.getvalue().split("\n"):
            shown = ""
            for part in line.split("\r"):
                shown = part + shown[len(part) :]
            lines.append(shown.rstrip())
        return lines


def on_terminal(monkeypatch) -> Terminal:
    """stderr from now on; a fixture's would be undone, since pytest sets its own before each test."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    return terminal


@pytest.mark.parametrize(("total", "words"), [(4, "3/4"), (None, "3 frames")])
def test_frames_rate_and_time_left(monkeypatch, total, words):
    terminal = on_terminal(monkeypatch)
    threads = set(threading.enumerate())
    with Progress(total) as progress:
        progress.advance(3)
        progress._bar.refresh()
        assert words in terminal.lines()[-1]
        assert "frames/s" in terminal.lines()[-1]
        assert set(threading.enumerate()) <= threads
    assert terminal.lines()[-1] == ""  # nothing stays


def test_lines_beside_the_bar_stay_whole(monkeypatch):
    terminal = on_terminal(monkeypatch)
    with Progress(4) as progress:
        for number in range(3):
            with progress.aside():
                print(f"line {number}", file=sys.stderr)
            progress.advance()
            progress._bar.refresh()
    assert terminal.lines() == ["line 0", "line 1", "line 2", ""]


def test_messages_of_libraries_stay_whole_too(monkeypatch):
    terminal = on_terminal(monkeypatch)
    monkeypatch.setattr(logging.root, "handlers", [logging.StreamHandler(terminal)])
    with Progress(4) as progress:
        progress.advance()
        logging.getLogger("a library").warning("skipped: 2.png")
        progress._bar.refresh()
    assert terminal.lines() == ["skipped: 2.png", ""]


def test_no_bar_where_stderr_is_no_terminal_or_a_window_shows_it_all(monkeypatch):
    terminal = on_terminal(monkeypatch)
    with Progress(4, shown=False) as progress, progress.aside():
        progress.advance()
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    with Progress(4) as progress, progress.aside():
        progress.advance()
    assert terminal.getvalue() == file.getvalue() == ""
