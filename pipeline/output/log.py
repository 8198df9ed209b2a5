"""The log of predictions: one row a face and frame, one for a frame without a face, one for what could not be read.

In:  frames with their results, what was skipped (each when it is found out: reading is ahead of the results).
Out: a .csv or .jsonl file of them, seen.partial.csv until it is complete; lines of text for stdout.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from data.sources.frame import Frame, Skipped
from pipeline.output.snapshot import check_suffix
from pipeline.run import FrameResult
from support import FAILED, UserError, notify
from support.csv_cells import harmless
from support.files import PartialFile

SUFFIXES = (".csv", ".jsonl")
COLUMNS = ("time_s", "frame", "face", "track", "x1", "y1", "x2", "y2", "score", "label", "confidence")
LAST_COLUMNS = ("source", "problem")  # behind one p_<class> a class, so that no older column changes its place


def rows_of(frame: Frame, result: FrameResult) -> Iterator[dict[str, object]]:
    """One row a face, column -> value: `COLUMNS`, one p_<class> a class, `LAST_COLUMNS`; one row where there is none.

    Milliseconds, tenths of a pixel of the frame, six decimals for what lies in [0, 1]. None: `track` without tracking,
    the columns of a face where there is none, `problem`.
    """
    time_s, last = round(frame.time_s, 3), {"source": frame.name, "problem": None}
    for number, face in enumerate(result.faces):
        box = [round(v, 1) for v in face.box_xyxy.tolist()]
        score, confidence = round(float(face.face.score), 6), round(face.confidence, 6)
        values = (time_s, frame.index, number, face.track or None, *box, score, face.label, confidence)
        pairs = zip(result.class_names, face.probabilities.tolist(), strict=True)
        yield dict(zip(COLUMNS, values, strict=True)) | {f"p_{name}": round(p, 6) for name, p in pairs} | last
    if not result.faces:
        yield _empty(result.class_names) | {"time_s": time_s, "frame": frame.index} | last


def row_of_skipped(skipped: Skipped, class_names: Sequence[str]) -> dict[str, object]:
    """The row of what could not be read, or may be missing: its source, its number, and why."""
    problem = skipped.reason if skipped.frames == 1 else f"{skipped.reason} ({skipped.frames} frames)"
    return _empty(class_names) | {"frame": skipped.index, "source": skipped.name, "problem": problem}


def _empty(class_names: Sequence[str]) -> dict[str, object]:
    return dict.fromkeys([*COLUMNS, *(f"p_{name}" for name in class_names), *LAST_COLUMNS])


def lines_of(frame: Frame, result: FrameResult, name: str | None) -> Iterator[str]:
    """Each prediction as a person reads it: of what (its `name`, the time in a film), who, which class, where."""
    when = "" if frame.still else f"{frame.time_s:8.3f} s"
    what = "  ".join(part for part in (name, when) if part)
    for number, face in enumerate(result.faces):
        who = f"person {face.track}" if face.track else f"face {number}"
        box = " ".join(f"{v:.0f}" for v in face.box_xyxy.tolist())
        yield f"{what}  {who}  looks like {face.label} {100 * face.confidence:.0f} %  [{box}]"


class PredictionLog:
    """A .csv or .jsonl file of the rows of `rows_of` and `row_of_skipped`.

    A context manager, which finishes the file on an error and on Ctrl-C too. Raises `UserError` where the name ends
    otherwise, the file cannot be made or the disk is full. notify: told where the file got another name.
    """

    def __init__(self, path: str | Path, class_names: Sequence[str], *, notify: Callable[[str], None] = notify) -> None:
        self._path, self._class_names, self._notify = Path(path), class_names, notify
        check_suffix(self._path, SUFFIXES, "a log")
        self._file = PartialFile(self._path)
        self._text = io.StringIO(newline="")  # rows on their way to the file
        self._csv: csv.DictWriter[str] | None = None
        if self._path.suffix.lower() == ".csv":
            self._csv = csv.DictWriter(self._text, list(_empty(class_names)), lineterminator="\n")
            self._csv.writeheader()
        try:
            self._write([])
        except UserError:
            self._file.discard()
            raise

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add the rows of a frame."""
        self._write(rows_of(frame, result))

    def write_skipped(self, skipped: Skipped) -> None:
        """Add the row of what could not be read."""
        self._write([row_of_skipped(skipped, self._class_names)])

    def _write(self, rows: Iterable[dict[str, object]]) -> None:
        """Hand the rows to the system, so that a crash loses nothing."""
        for row in rows:
            if self._csv:
                self._csv.writerow({column: harmless(value) for column, value in row.items()})
            else:
                self._text.write(json.dumps(row) + "\n")
        content = self._text.getvalue().encode("utf-8", "backslashreplace")
        self._text.seek(0)
        self._text.truncate()
        try:
            self._file.write(content)
        except OSError as error:
            raise UserError(f"{self._path} ends here: {error.strerror or error}.", exit_code=FAILED) from error

    def __enter__(self) -> PredictionLog:
        return self

    def __exit__(self, *exception: object) -> None:
        if (kept := self._file.finish()) != self._file.path:
            self._notify(f"another program wrote {self._path} meanwhile, so this log is {kept.name}.")
