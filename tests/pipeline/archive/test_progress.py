"""The line, by a clock that is moved by hand."""

from __future__ import annotations

import io

import pytest

from pipeline.archive.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("seconds", "words"), [(7.4, "7 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"), (0, "0 s")])
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_a_line_a_minute_without_a_terminal():
    now, stream = [0.0], io.StringIO()
    progress = Progress(4, stream=stream, clock=lambda: now[0])
    for _ in range(130):
        now[0] += 1
        progress.add(frames=10, faces=20)
    progress.add(sources=1, failed=1)
    assert stream.getvalue().splitlines() == [
        "0 of 4 sources, 10.0 frames a second, 1,200 faces, 0 failed",
        "0 of 4 sources, 10.0 frames a second, 2,400 faces, 0 failed",
    ]
    assert progress.line() == "1 of 4 sources, 10.0 frames a second, 2,600 faces, 1 failed, 6 min 30 s left"


def test_one_line_on_a_terminal():
    now, stream = [0.0], Terminal()
    progress = Progress(1, stream=stream, clock=lambda: now[0])
    for _ in range(3):
        now[0] += 1
        progress.add(sources=1 / 3, frames=1)
    progress.close()
    assert stream.getvalue().count("\n") == 0
    assert stream.getvalue().split("\r\x1b[K")[1:] == [
        "0 of 1 source, 1.0 frames a second, 0 faces, 0 failed, 2 s left",
        "0 of 1 source, 1.0 frames a second, 0 faces, 0 failed, 1 s left",
        "1 of 1 source, 1.0 frames a second, 0 faces, 0 failed",
        "",
    ]
