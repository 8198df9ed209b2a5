"""How far an archive is: one line that is written over on a terminal, elsewhere a line a minute.

In:  what becomes of units.
Out: sources done, frames a second, faces, failures, time left, on stderr.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from support import count

EVERY_S, TERMINAL_S = 60.0, 0.5  # between two lines


class Progress:
    """total: sources that are to be done. clock: gives seconds."""

    def __init__(
        self, total: int, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._clock, self._total = stream or sys.stderr, clock, total
        self._is_terminal = self._stream.isatty()
        self._start_s = self._said_s = clock()
        self.sources = self.frames = self.faces = self.failed = 0
        self.share = 0.0  # of all sources, those done and parts of films

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self._clock() - self._start_s

    def add(self, *, sources: float = 0, frames: int = 0, faces: int = 0, failed: int = 0) -> None:
        """So many more; the line, where it is due. sources: a stretch counts as a part of one."""
        self.share += sources
        self.sources = int(self.share + 1e-6)
        self.frames, self.faces, self.failed = self.frames + frames, self.faces + faces, self.failed + failed
        now_s = self._clock()
        if now_s - self._said_s >= (TERMINAL_S if self._is_terminal else EVERY_S):
            self._said_s = now_s
            self._write(self.line())

    def line(self) -> str:
        """All in one line."""
        seconds = max(self.seconds, 1e-9)
        left = ""
        if 0 < self.share < self._total:
            left = f", {duration(seconds / self.share * (self._total - self.share))} left"
        return (
            f"{self.sources:,} of {count(self._total, 'source')}, {self.frames / seconds:.1f} frames a second, "
            f"{count(self.faces, 'face')}, {self.failed:,} failed{left}"
        )

    def _write(self, text: str) -> None:
        try:
            self._stream.write(f"\r\x1b[K{text[:119]}" if self._is_terminal else f"{text}\n")
            self._stream.flush()
        except OSError:  # its terminal has closed
            pass

    def close(self) -> None:
        """Take the line off a terminal."""
        if self._is_terminal:
            self._write("")


def duration(seconds: float) -> str:
    """2 h 05 min, 3 min 20 s or 7 s."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 60} min {whole % 60:02} s" if whole >= 60 else f"{whole} s"
