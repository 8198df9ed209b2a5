"""The stretches of a film become one: people keep their numbers over the seams.

In:  the tables of a film's stretches, each with the overlap that comes before it.
Out: the table that the film would have given in one go; a sentence for each seam where it may differ from that.

In the overlap every face has two numbers, one of each stretch. The last frame in which a person is seen twice tells
which belong together; who is new gets the next number, as in the whole film. Where the last frame of the overlap is
equal in both, the tracker was in one and the same state, and so all that follows is equal, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.archive.results.rows import Heatmaps
from pipeline.archive.stretches import Stretch


def join_tables(
    tables: Sequence[pa.Table], stretches: Sequence[Stretch]
) -> tuple[pa.Table, list[dict[int, int]], list[str]]:
    """Rows of the whole film; of each stretch its numbers -> those of the film; sentences on seams that differ."""
    numbers = [{t: t for t in _tracks(tables[0])}]
    joined, doubts, most = [tables[0]], [], max(_tracks(tables[0]), default=0)
    for before, (table, stretch) in zip(tables, list(zip(tables, stretches, strict=True))[1:], strict=False):
        ours = pc.field("frame") >= stretch.first
        overlap, own = table.filter(~ours), table.filter(ours)
        same, why = _same_people(before, overlap)
        known = {track: numbers[-1][same[track]] for track in _tracks(own) if track in same}
        if why:
            doubts.append(f"frame {stretch.first}: {why}")
        for track in sorted(_tracks(own) - known.keys()):
            most += 1
            known[track] = most
        numbers.append(known)
        joined.append(_renumbered(own, known))
    return pa.concat_tables(joined), numbers, doubts


def join_heatmaps(tables: Sequence[pa.Table], numbers: Sequence[dict[int, int]]) -> pa.Table:
    """Mean heatmaps of the whole film, from the sums of its stretches."""
    heatmaps = Heatmaps()
    for table, known in zip(tables, numbers, strict=True):
        for row in table.to_pylist():
            summed = pa.array(row["sum"]).to_numpy().reshape(row["size"], row["size"])
            track = known.get(row["track"], 0)
            heatmaps.add_sum((row["source"], track, row["expression"]), summed, row["count"])
    return heatmaps.means()


def join_records(records: Sequence[dict[str, Any]], doubts: Sequence[str]) -> dict[str, Any]:
    """The record of the whole film. Where its file changed in between it has no version, and so is read again."""
    last = records[-1]
    versions = {(record["bytes"], record["mtime_ns"]) for record in records}
    size, mtime_ns = versions.pop() if len(versions) == 1 else (None, None)
    problems = [record["problem"] for record in records if record["problem"]]
    return last | {
        "frames": sum(record["frames"] for record in records),
        "skipped": sum(record["skipped"] for record in records),
        "faces": sum(record["faces"] for record in records),
        "seconds": max(record["seconds"] for record in records),
        "problem": problems[0] if problems else None,
        "failed": any(record["failed"] for record in records),
        "bytes": size,
        "mtime_ns": mtime_ns,
        "seams": len(records) - 1,
        "doubts": list(doubts),
    }


def _tracks(table: pa.Table) -> set[int]:
    return {track for track in pc.unique(table["track"]).to_pylist() if track}


def _same_people(before: pa.Table, overlap: pa.Table) -> tuple[dict[int, int], str]:
    """Numbers in the overlap -> those of the stretch before, and what differs in its last frame."""
    start = pc.min(overlap["frame"]).as_py()
    if start is None:
        return {}, ""
    end = pc.max(overlap["frame"]).as_py()
    earlier = _by_face(before.filter((pc.field("frame") >= start) & (pc.field("frame") <= end)))
    later = _by_face(overlap)
    same: dict[int, int] = {}
    for key, row in sorted(later.items()):
        if row["track"] and key in earlier:
            same[row["track"]] = earlier[key]["track"]
    last, wanted = ({k: v for k, v in rows.items() if k[0] == end} for rows in (later, earlier))
    if last.keys() != wanted.keys():
        return same, "other faces were found in one of the two"
    for key, row in last.items():
        if {**row, "track": 0} != {**wanted[key], "track": 0}:
            return same, "the same face is not smoothed equally"
    owners = [same.get(track) for track in {row["track"] for row in last.values()}]
    return same, "one person has two numbers" if len(set(owners)) < len(owners) else ""


def _by_face(table: pa.Table) -> dict[tuple[int, int], dict[str, Any]]:
    rows = (row for row in table.to_pylist() if row["problem"] is None)  # and no pauses
    return {(row["frame"], -1 if row["face"] is None else row["face"]): row for row in rows}


def _renumbered(table: pa.Table, numbers: dict[int, int]) -> pa.Table:
    column = table.schema.get_field_index("track")
    tracks = [numbers[track] if track else None for track in table["track"].to_pylist()]
    return table.set_column(column, table.schema.field(column), pa.array(tracks, pa.int32()))
