"""The log of predictions: one row a face and frame.

In:  frames with their results.
Out: `Row`s; a .csv or .jsonl file of them, under its own name only when complete; lines of text for stdout.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from data.sources.frame import Frame
from pipeline.output.snapshot import check_suffix
from pipeline.run import FrameResult
from support import FAILED, UserError, atomic_write

SUFFIXES = (".csv", ".jsonl")


@dataclasses.dataclass(frozen=True)
class Row:
    """One face in one frame; the box in pixels of the frame, `probabilities` in the order of the class names."""

    time_s: float
    frame: int
    face: int
    track: int | None
    x1: float
    y1: float
    x2: float
    y2: float
    score: float
    label: str
    confidence: float
    probabilities: Sequence[float]


def rows_of(frame: Frame, result: FrameResult) -> list[Row]:
    """One row a face."""
    rows = []
    for number, face in enumerate(result.faces):
        x1, y1, x2, y2 = face.box_xyxy.tolist()
        rows.append(
            Row(
                time_s=frame.time_s,
                frame=frame.index,
                face=number,
                track=face.track or None,
                x1=x1,
                y1=y1,
                x2=x2,
                y2=y2,
                score=face.face.score,
                label=face.label,
                confidence=face.confidence,
                probabilities=face.probabilities.tolist(),
            )
        )
    return rows


def line_of(row: Row, name: str | None) -> str:
    """One prediction as a person reads it: of what (the picture's name, or the time), who, which class, where."""
    who = f"face {row.face}" if row.track is None else f"person {row.track}"
    box = f"[{row.x1:.0f} {row.y1:.0f} {row.x2:.0f} {row.y2:.0f}]"
    return f"{name or f'{row.time_s:8.3f} s'}  {who}  looks like {row.label} {row.confidence:.0%}  {box}"


class PredictionLog:
    """A .csv or .jsonl file of `Row`s, with the columns of `Row` and one p_<class> a class.

    A context manager, which finishes the file on an error and on Ctrl-C too. Raises `UserError` where the name ends
    otherwise or the disk is full.
    """

    def __init__(self, path: str | Path, class_names: Sequence[str]) -> None:
        self._path = Path(path)
        check_suffix(self._path, SUFFIXES, "a log")
        self._class_names = tuple(class_names)
        self._files = contextlib.ExitStack()
        temporary = self._files.enter_context(atomic_write(self._path))
        self._file = open(temporary, "w", encoding="utf-8", newline="")  # noqa: SIM115 - close() does
        self._csv = csv.writer(self._file, lineterminator="\n") if self._path.suffix.lower() == ".csv" else None
        if self._csv:
            columns = [field.name for field in dataclasses.fields(Row)][:-1]
            self._csv.writerow(columns + [f"p_{name}" for name in self._class_names])

    def write(self, rows: Iterable[Row]) -> None:
        """Add the rows and hand them to the system, so that a crash loses nothing."""
        try:
            for row in rows:
                cells = self._cells(row)
                if self._csv:
                    self._csv.writerow(cells.values())
                else:
                    self._file.write(json.dumps(cells) + "\n")
            self._file.flush()
        except OSError as error:
            raise self._failure(error) from error

    def _cells(self, row: Row) -> dict[str, object]:
        """Column name -> value: milliseconds, tenths of a pixel, six decimals for what lies in [0, 1]."""
        decimals = {"time_s": 3, "x1": 1, "y1": 1, "x2": 1, "y2": 1, "score": 6, "confidence": 6}
        cells = dataclasses.asdict(row)
        probabilities = cells.pop("probabilities")
        cells.update({name: round(float(cells[name]), digits) for name, digits in decimals.items()})
        for name, probability in zip(self._class_names, probabilities, strict=True):
            cells[f"p_{name}"] = round(float(probability), 6)
        return cells

    def close(self) -> None:
        """Give the file its name; what reached the disk is kept. More than once is fine."""
        try:
            self._file.close()
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self._files.close()

    def _failure(self, error: OSError) -> UserError:
        return UserError(f"cannot write {self._path}: {error.strerror}.", exit_code=FAILED)

    def __enter__(self) -> PredictionLog:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
