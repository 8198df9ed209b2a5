"""A log of live.py, read again: seen.csv or seen.jsonl, whole or as a kill left it.

In:  the file.
Out: a `SessionSummary` without heatmaps and pictures; sentences on what could not be read.

Rows that follow each other and name one source and one frame are that frame. A picture is told from a film by its name,
and by having one frame. Where the numbers of a source's frames fall back, it was played again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.sources.files import is_picture
from pipeline.output.report.people import SeenFace
from pipeline.output.report.records import REPLACEMENT, Records
from pipeline.output.report.session import SessionSummary
from pipeline.output.report.words import Unread
from support import count
from support.csv_cells import original

NEEDED = ("time_s", "frame", "face", "track")
CLASS = "p_"  # before the name of a class
LONGEST_S, MOST_FRAMES = 1e9, 2**53  # of a session: thirty years, and what a float counts exactly
SUM_WITHIN = 0.02  # of 1: each probability is rounded
FROM_A_LOG = "This page was made from a log, which holds no heatmaps and no pictures."
OLD = (
    "The log does not name sources and has no rows for frames without a face: those are not counted, and a person"
    " counts as seen until the next row, at most 10 seconds."
)


@dataclass(frozen=True, eq=False)
class Row:
    """One row, checked. track: 0 where it has none. probabilities: (K,), or None: no face in this frame.

    problem: why this picture or these frames could not be read or may be missing; then only the source counts.
    """

    source: str
    frame: int = 0
    time_s: float = 0.0
    track: int = 0
    probabilities: np.ndarray | None = None
    problem: str = ""


def read_log(path: str | Path) -> tuple[SessionSummary, Unread, list[str]]:
    """What a log tells, what it says could not be read, and sentences on the log itself.

    Raises `UserError` where it cannot be opened, is no such log, or has no row that can be read.
    """
    records = Records(path, NEEDED)
    names = next((names for record in records if (names := _class_names(record))), [])
    session, unread = SessionSummary(names), Unread()
    log = _Log(records, names)
    _add_frames(session, log.rows(unread))
    if not session.sources and not unread.lines:
        raise records.unlike("holds no row that can be read")
    return session, unread, [FROM_A_LOG, *log.notes()]


def _class_names(record: Mapping[str, object]) -> list[str]:
    return [column.removeprefix(CLASS) for column in record if column.startswith(CLASS)]


class _Log:
    """Rows of records, and what was wrong with them."""

    def __init__(self, records: Records, names: Sequence[str]) -> None:
        self._records, self._columns = records, [CLASS + name for name in names]
        self._wrong, self._old = 0, False

    def rows(self, unread: Unread) -> Iterator[Row]:
        """The rows that can be read; those of problems go to `unread`."""
        for record in self._records:
            try:
                row = self._row(record)
            except (ValueError, TypeError, KeyError, OverflowError):
                self._wrong += 1
                continue
            self._old |= "source" not in record
            if row.problem:
                unread.add(f"{row.source}: {row.problem}")
            else:
                yield row

    def _row(self, record: Mapping[str, object]) -> Row:
        source = self._text(record.get("source")) or self._records.path.name
        if problem := self._text(record.get("problem")):
            return Row(source, problem=problem)
        frame, time_s = _number(record["frame"]), _number(record["time_s"])
        if not 0 <= time_s <= LONGEST_S or abs(frame) > MOST_FRAMES:
            raise ValueError("a time before the start, or no session's")
        if record["face"] in ("", None):
            return Row(source, int(frame), time_s)
        track = int(_number(record["track"])) if record["track"] not in ("", None) else 0
        probabilities = np.array([_number(record[column]) for column in self._columns])
        if not (probabilities.size and probabilities.min() >= 0 and abs(probabilities.sum() - 1) < SUM_WITHIN):
            raise ValueError("not probabilities")
        return Row(source, int(frame), time_s, track, probabilities)

    def _text(self, value: object) -> str:
        """A text without the apostrophe that keeps spreadsheets from running it."""
        text = "" if value is None else str(value)
        return original(text) if self._records.is_csv else text

    def notes(self) -> list[str]:
        """Sentences for the reader of the page."""
        records, wrong = self._records, self._wrong + self._records.damaged
        notes = [OLD] if self._old else []
        if wrong:
            notes.append(f"{count(wrong, 'line')} of the log could not be read, and left out.")
        if records.cut_off:
            notes.append("The log's last line has no end, as after a kill; it is left out.")
        if records.replaced:
            notes.append(f"The log holds characters that are not UTF-8, shown as {REPLACEMENT}.")
        return notes


def _number(value: object) -> float:
    """A finite number; `ValueError` or `TypeError` where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _add_frames(session: SessionSummary, rows: Iterable[Row]) -> None:
    """Add frame by frame; the frames before and after tell a picture from a film."""
    groups = ((key, list(group)) for key, group in itertools.groupby(rows, key=lambda row: (row.source, row.frame)))
    last: dict[str, tuple[int, int]] = {}  # source -> how often it was played, its last frame
    before = None
    for ((source, frame), group), following in itertools.pairwise(itertools.chain(groups, [((None, 0), [])])):
        still = is_picture(source) and source not in (before, following[0][0])
        played, at = last.get(source, (0, -1))
        last[source] = played, _ = (played + (frame <= at), frame)
        faces = [SeenFace(row.track, row.probabilities) for row in group if row.probabilities is not None]
        session.add((source, played), source, group[0].time_s, faces, still=still)
        before = source
