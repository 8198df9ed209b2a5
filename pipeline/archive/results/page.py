"""The report of an archive: the page of `pipeline.output.report`, from the Parquet files.

In:  the results' parts.
Out: index.html in a folder. Heatmaps are in _heatmaps/, and not on the page.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipeline.archive.results.dataset import Dataset
from pipeline.output.report.collector import check_folder, write_page
from pipeline.output.report.page import page_html
from pipeline.output.report.people import SeenFace
from pipeline.output.report.session import SessionSummary
from pipeline.output.report.words import Unread

FROM_AN_ARCHIVE = (
    "This page was made from an archive's results; it holds no pictures, and mean heatmaps lie beside them."
)


def write_report(dataset: Dataset, folder: str | Path) -> Path:
    """Write the page; its path."""
    check_folder(folder)
    session: SessionSummary | None = None
    unread = Unread()
    for name, records in dataset.parts():
        stills = {record["source"] for record in records if record["kind"] == "picture" and record["promised"] == 1}
        schema = pq.read_schema(dataset.store.path(name), filesystem=dataset.store.filesystem)
        columns = [column for column in schema.names if column.startswith("p_")]
        session = session or SessionSummary([column.removeprefix("p_") for column in columns])
        for (source, _), rows in itertools.groupby(_rows(dataset, name), key=lambda row: (row["source"], row["frame"])):
            seen, group = [], list(rows)
            for row in group:
                if row["problem"]:
                    unread.add(f"{source}: {row['problem']}")
                elif row["face"] is not None:
                    seen.append(SeenFace(row["track"] or 0, np.array([row[column] for column in columns])))
            if any(row["problem"] is None for row in group):
                time_s = next(row["time_s"] for row in group if row["problem"] is None)
                session.add((name, source), source, time_s, seen, still=source in stills)
    text = page_html(session or SessionSummary(()), settings=dataset.described, unread=unread, notes=[FROM_AN_ARCHIVE])
    return write_page(folder, text)


def _rows(dataset: Dataset, name: str) -> Iterator[dict[str, Any]]:
    with dataset.store.filesystem.open_input_file(dataset.store.path(name)) as file:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=4096):
            yield from batch.to_pylist()
