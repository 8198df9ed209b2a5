"""The rows of the results: their columns and types, and how they are gathered.

In:  frames with their results, what could not be read.
Out: a table of one row a face, one for a frame without a face, one for what could not be read: the columns of the log
     (`pipeline.output.log`) and those of one's own; a table of mean heatmaps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from data.sources.frame import Frame, Skipped
from pipeline.output.log import COLUMNS, LAST_COLUMNS, row_of_skipped, rows_of
from pipeline.run import FrameResult

TYPES = {
    "time_s": pa.float64(),
    "frame": pa.int64(),
    "face": pa.int16(),
    "track": pa.int32(),
    "label": pa.string(),
    "source": pa.string(),
    "problem": pa.string(),
}  # the others are float32
FLUSH = 4096  # rows that wait as Python's dicts


def schema_of(class_names: Sequence[str], columns: Sequence[str] = ()) -> pa.Schema:
    """Columns and types of the rows."""
    names = [*COLUMNS, *(f"p_{name}" for name in class_names), *LAST_COLUMNS]
    fields = [(name, TYPES.get(name, pa.float32())) for name in names]
    return pa.schema(fields + [(name, pa.string()) for name in columns])


class Rows:
    """Gathers rows; memory is that of the Arrow table."""

    def __init__(self, class_names: Sequence[str], columns: Sequence[str]) -> None:
        self.schema, self._columns, self._class_names = schema_of(class_names, columns), columns, class_names
        self._waiting: list[dict[str, object]] = []
        self._batches: list[pa.RecordBatch] = []

    def add(self, frame: Frame, result: FrameResult, own: Sequence[str]) -> None:
        """The rows of a frame."""
        carried = dict(zip(self._columns, own, strict=True))
        self._waiting += [row | carried for row in rows_of(frame, result)]
        if len(self._waiting) >= FLUSH:
            self._flush()

    def add_skipped(self, skipped: Skipped, own: Sequence[str]) -> None:
        """The row of what could not be read."""
        row = row_of_skipped(skipped, self._class_names)
        self._waiting.append(row | dict(zip(self._columns, own, strict=True)))

    def _flush(self) -> None:
        self._batches.append(pa.RecordBatch.from_pylist(self._waiting, self.schema))
        self._waiting = []

    def table(self) -> pa.Table:
        """All rows so far."""
        self._flush()
        return pa.Table.from_batches(self._batches, self.schema)


class Heatmaps:
    """Sums of heatmaps by source, track and expression."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int, str], tuple[np.ndarray, int]] = {}

    def add(self, frame: Frame, result: FrameResult) -> None:
        """Those of a frame's faces."""
        for face in result.faces:
            if face.heatmap is not None and face.explained is not None:
                self.add_sum((frame.name, face.track, face.explained), face.heatmap.astype(np.float64), 1)

    def add_sum(self, key: tuple[str, int, str], summed: np.ndarray, count: int) -> None:
        """A sum of `count` heatmaps (S, S) float64."""
        before, number = self._sums.get(key, (0.0, 0))
        self._sums[key] = (before + summed, number + count)

    def sums(self) -> pa.Table:
        """source, track (null in pictures), expression, count, size, sum: (S * S) float64."""
        return self._table("sum", pa.float64(), [summed for summed, _ in self._sums.values()])

    def means(self) -> pa.Table:
        """source, track (null in pictures), expression, count, size, heatmap: (S * S) float16 in [0, 1], row by row."""
        means = [(summed / count).astype(np.float16) for summed, count in self._sums.values()]
        return self._table("heatmap", pa.float16(), means)

    def _table(self, column: str, kind: pa.DataType, maps: Sequence[np.ndarray]) -> pa.Table:
        """One row a sum, with the (S, S) map of each as `column`."""
        rows = [
            {"source": s, "track": t or None, "expression": e, "count": n, "size": len(one), column: one.ravel()}
            for ((s, t, e), (_, n)), one in zip(self._sums.items(), maps, strict=True)
        ]
        kinds = {"source": pa.string(), "track": pa.int32(), "expression": pa.string(), "count": pa.int64()}
        return pa.Table.from_pylist(rows, pa.schema(kinds | {"size": pa.int32(), column: pa.list_(kind)}))
