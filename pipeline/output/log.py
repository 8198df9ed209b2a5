"""The log of predictions: one row a face and frame.

In:  frames with their results.
Out: a .csv or .jsonl file of them, under its own name only when complete; lines of text for stdout.
"""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from data.sources.frame import Frame
from pipeline.output.snapshot import check_suffix
from pipeline.run import FrameResult
from support import FAILED, UserError, atomic_write

SUFFIXES = (".csv", ".jsonl")
COLUMNS = ("time_s", "frame", "face", "track", "x1", "y1", "x2", "y2", "score", "label", "confidence")


def rows_of(frame: Frame, result: FrameResult) -> Iterator[dict[str, object]]:
    """One row a face, column -> value: `COLUMNS`, then one p_<class> a class.

    Milliseconds, tenths of a pixel of the frame, six decimals for what lies in [0, 1]; track is None without tracking.
    """
    for number, face in enumerate(result.faces):
        box = [round(v, 1) for v in face.box_xyxy.tolist()]
        score, confidence = round(float(face.face.score), 6), round(face.confidence, 6)
        values = (round(frame.time_s, 3), frame.index, number, face.track or None, *box, score, face.label, confidence)
        pairs = zip(result.class_names, face.probabilities.tolist(), strict=True)
        yield dict(zip(COLUMNS, values, strict=True)) | {f"p_{name}": round(p, 6) for name, p in pairs}


def lines_of(frame: Frame, result: FrameResult, name: str | None) -> Iterator[str]:
    """Each prediction as a person reads it: of what (the picture's `name`, or the time), who, which class, where."""
    for number, face in enumerate(result.faces):
        who = f"person {face.track}" if face.track else f"face {number}"
        box = " ".join(f"{v:.0f}" for v in face.box_xyxy.tolist())
        what = f"looks like {face.label} {face.confidence:.0%}"
        yield f"{name or f'{frame.time_s:8.3f} s'}  {who}  {what}  [{box}]"


class PredictionLog:
    """A .csv or .jsonl file of the rows of `rows_of`.

    A context manager, which finishes the file on an error and on Ctrl-C too. Raises `UserError` where the name ends
    otherwise or the disk is full.
    """

    def __init__(self, path: str | Path, class_names: Sequence[str]) -> None:
        self._path = Path(path)
        check_suffix(self._path, SUFFIXES, "a log")
        self._files = contextlib.ExitStack()
        temporary = self._files.enter_context(atomic_write(self._path))
        self._file = open(temporary, "w", encoding="utf-8", newline="")  # noqa: SIM115 - __exit__ does
        self._csv: csv.DictWriter[str] | None = None
        if self._path.suffix.lower() == ".csv":
            columns = [*COLUMNS, *(f"p_{name}" for name in class_names)]
            self._csv = csv.DictWriter(self._file, columns, lineterminator="\n")
            self._csv.writeheader()

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add a row a face and hand them to the system, so that a crash loses nothing."""
        try:
            for row in rows_of(frame, result):
                if self._csv:
                    self._csv.writerow(row)
                else:
                    self._file.write(json.dumps(row) + "\n")
            self._file.flush()
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> UserError:
        return UserError(f"cannot write {self._path}: {error.strerror}.", exit_code=FAILED)

    def __enter__(self) -> PredictionLog:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self._files.close()  # gives the file its name; what reached the disk is kept
