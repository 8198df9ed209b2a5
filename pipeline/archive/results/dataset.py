"""The folder of results as a whole: what is done, what is stale, the table of sources.

In:  a `Store` with parts, each with records of its sources.
Out: which sources are still to be done; no row lost, none twice; `_sources.parquet`.

    results/faces/part-*.parquet     one row a face; pandas.read_parquet("results/") reads these
    results/_sources.parquet         one row a source
    results/_settings.json           what decided the numbers; other settings are refused
    results/_heatmaps/, _crops/      on request
    results/.stretches/              of long films that are not complete
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.sources.frame import Skipped
from pipeline.archive.analysis import Analysis, digest_of
from pipeline.archive.results.changes import is_moved, move_crops, news_of, rename_part
from pipeline.archive.results.joining import join_heatmaps, join_records, join_tables
from pipeline.archive.results.rows import Rows
from pipeline.archive.results.store import Store, shown
from pipeline.archive.sources import Source, version_of
from pipeline.archive.units import FACES, HEATMAPS, STRETCHES, Unit, stretches_folder
from pipeline.archive.worker import known, new_record
from pipeline.output.log import COLUMNS, LAST_COLUMNS
from support import UserError
from support.files import cannot_write, lock

SETTINGS, SOURCES, LOCK = "_settings.json", "_sources.parquet", "_lock"
PARTS, ON_THEIR_WAY = "part-*.parquet", ".part-*.parquet.partial-*"  # one's own files beside them stay
WRITTEN_AT_ONCE = 10_000  # rows of sources

SOURCE_COLUMNS = {
    "source": pa.string(),
    "path": pa.string(),
    "kind": pa.string(),
    "frames": pa.int64(),
    "promised": pa.int64(),
    "skipped": pa.int64(),
    "faces": pa.int64(),
    "seconds": pa.float64(),
    "seams": pa.int32(),
    "doubts": pa.list_(pa.string()),
    "problem": pa.string(),
    "failed": pa.bool_(),
    "sha256": pa.string(),
    "bytes": pa.int64(),
    "settings": pa.string(),
}


class Dataset:
    """A context manager, which keeps a second run out of the same folder.

    Raises `UserError` where another run is at work, the folder was made with other settings, or an own column has a
    name that is taken.
    """

    def __init__(self, place: str, analysis: Analysis) -> None:
        self.store, self.analysis = Store(place), analysis
        _check_columns(analysis.columns)
        self.described = analysis.described()
        self.settings = digest_of(self.described)

    def __enter__(self) -> Dataset:
        with contextlib.ExitStack() as opened:
            if self.store.is_local:
                opened.enter_context(_locked(self.store.root))
            self._check_settings()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._opened.close()

    def _check_settings(self) -> None:
        before = self.store.read_json(SETTINGS)
        if before == self.described:
            return
        begun = self.store.names(FACES) or self.store.folders(STRETCHES)
        if begun and before is None:
            raise UserError(f"{shown(self.store.place)} holds a folder {FACES} of something else; name another.")
        if begun and before is not None:
            names = sorted({*before, *self.described})
            differ = [name for name in names if before.get(name) != self.described.get(name)]
            what = ", ".join(
                f"{name} {before.get(name)!r:.40}, now {self.described.get(name)!r:.40}" for name in differ
            )
            raise UserError(f"{shown(self.store.place)} was made with other settings ({what}); name another folder.")
        self.store.write_json(SETTINGS, self.described)

    def parts(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Each part's name and the records of its sources; one that is damaged is removed, and so done again."""
        for name in self.store.names(FACES, PARTS):
            records = self.store.records(name)
            if records is None:
                self.store.delete(name)
            else:
                yield name, records

    def tidy(self) -> None:
        """Remove what ended runs left on its way, and all but the first of a source's sets of rows."""
        for folder in (FACES, HEATMAPS):
            for name in self.store.names(folder, ON_THEIR_WAY):
                self.store.delete(name)
        seen: set[str] = set()
        for name, records in self.parts():
            paths = [record["path"] for record in records]
            twice = seen.intersection(paths)
            seen.update(paths)
            if twice:
                self._without(name, records, twice)
        parts = {name.replace(FACES, HEATMAPS, 1) for name in self.store.names(FACES, PARTS)}
        for name in self.store.names(HEATMAPS, PARTS):
            if name not in parts:  # of a unit that was ended before it wrote its rows
                self.store.delete(name)

    def remaining(self, sources: Sequence[Source]) -> list[tuple[Source, int]]:
        """(source, bytes) of what is to be done; rows of sources that have failed, or changed since, are removed.

        A source that is not there now keeps its rows, and so does one that was moved, so that its name and SHA-256 are
        those of one that lay elsewhere.
        """
        records = [(name, record) for name, records in self.parts() for record in records]
        done = {record["path"]: (name, record) for name, record in records}
        places = {source.place for source in sources}
        elsewhere = {record["source"]: (name, record) for name, record in records if record["path"] not in places}
        stale: dict[str, set[str]] = {}
        changed: dict[str, dict[str, dict[str, Any]]] = {}  # what differs in records, by part and path
        todo = []
        for source in sources:
            version = source.listed or version_of(source.path)
            name, record = done.get(source.place, ("", None))
            if record is None and source.name in elsewhere and is_moved(source, elsewhere[source.name][1], version):
                name, record = elsewhere[source.name]
                if self.analysis.crops:
                    move_crops(self.store, source, record["path"])
            if record is not None and (news := news_of(source, record, version)) is not None:
                if news:
                    changed.setdefault(name, {})[record["path"]] = news
                continue
            if record is not None:
                stale.setdefault(name, set()).add(record["path"])
            todo.append((source, version.size if version else 0))
        for name, paths in stale.items():
            self._without(name, self.store.records(name), paths)
        for name, by_path in changed.items():
            present = [one | by_path.get(one["path"], {}) for one in self.store.records(name)]
            if any(news["path"] != path for path, news in by_path.items()):
                name = rename_part(self.store, name, [one["path"] for one in present])
            self.store.write_table(name, self.store.read_table(name), present)
        return todo

    def _without(self, name: str, records: Sequence[dict[str, Any]], paths: set[str]) -> None:
        """Write a part again without the rows of some of its sources."""
        kept = [record for record in records if record["path"] not in paths]
        gone = pa.array([record["source"] for record in records if record["path"] in paths])
        heatmaps = name.replace(FACES, HEATMAPS, 1)
        for file, more in ((heatmaps, None), (name, kept)):
            if not self.store.exists(file):
                continue
            if kept:
                table = self.store.read_table(file)
                self.store.write_table(file, table.filter(pc.invert(pc.is_in(table["source"], gone))), more)
            else:
                self.store.delete(file)

    def join(self, stretches: Sequence[Unit]) -> dict[str, Any]:
        """Make the part of a film from those of all its stretches; its record."""
        units = sorted(stretches, key=lambda unit: unit.stretch.number if unit.stretch else 0)
        places = [unit.stretch for unit in units if unit.stretch]
        tables = [self.store.read_table(unit.name) for unit in units]
        table, numbers, doubts = join_tables(tables, places)
        record = join_records([self.store.records(unit.name)[0] for unit in units], doubts)
        film = units[0].film
        if self.analysis.heatmaps:
            sums = [self.store.read_table(unit.heatmaps_name) for unit in units]
            self.store.write_table(film.heatmaps_name, join_heatmaps(sums, numbers))
        self.store.write_table(film.name, table, [record])
        self.store.delete_folder(stretches_folder(film.sources[0]))
        return record

    def fail(self, unit: Unit, why: str) -> None:
        """Make the part of a source that ended its process: one row, which says why."""
        (source,) = unit.sources
        record = new_record(source) | known(source.listed or version_of(source.path))
        rows = Rows(self._class_names, self.analysis.columns)
        rows.add_skipped(Skipped(source.name, 0, why), source.own)
        self.store.write_table(unit.film.name, rows.table(), [record | {"problem": why, "failed": True}])

    @functools.cached_property
    def _class_names(self) -> Sequence[str]:
        """As the networks have them, which this process does not need for anything else."""
        return replace(self.analysis, device="cpu").pipeline().classifier.class_names

    def forget_stretches(self, sources: Sequence[Source]) -> None:
        """Remove what is left of films that were read in one go after all, or failed, or have changed."""
        left = set(self.store.folders(STRETCHES))
        done = left.intersection(map(stretches_folder, sources))
        for folder in done:
            self.store.delete_folder(folder)
        if left == done:
            self.store.delete_folder(STRETCHES)

    def write_sources(self) -> int:
        """Write `_sources.parquet`; how many sources have failed."""
        columns = self.analysis.columns
        schema = pa.schema(list(SOURCE_COLUMNS.items()) + [(name, pa.string()) for name in columns])
        count = 0
        with self.store.replacing(SOURCES) as partial:
            file = self.store.filesystem.open_output_stream(partial)
            with file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
                waiting: list[dict[str, Any]] = []
                for record in (record for _, records in self.parts() for record in records):
                    count += record["failed"]
                    own = dict(zip(columns, record["own"], strict=True))
                    path = record["path"].encode("utf-8", "backslashreplace").decode()  # other bytes as codes
                    waiting.append({**record, "settings": self.settings, "path": path, **own})
                    if len(waiting) >= WRITTEN_AT_ONCE:
                        writer.write_table(pa.Table.from_pylist(waiting, schema))
                        waiting = []
                writer.write_table(pa.Table.from_pylist(waiting, schema))
        return count


def _check_columns(own: Sequence[str]) -> None:
    taken = {*COLUMNS, *LAST_COLUMNS, *SOURCE_COLUMNS}
    for name in own:
        if name in taken or name.startswith("p_") or own.count(name) > 1:
            raise UserError(f"the column {name!r} has a name that the results use; give it another.")


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Hold the folder's lock; the system lets go of it when the process ends, however it ends."""
    try:
        os.makedirs(folder, exist_ok=True)
        file = open(os.path.join(folder, LOCK), "ab")  # noqa: SIM115 - the lock lives as long as it is open
    except OSError as error:
        raise cannot_write(folder, error) from error
    with file:
        if not lock(file):
            raise UserError(f"another run is at work in {folder}; wait for it, or name another folder.")
        yield
