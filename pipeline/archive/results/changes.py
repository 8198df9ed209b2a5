"""What has become of sources that were done: they are as they were, have changed, lie elsewhere, or are not there.

In:  a source and its record.
Out: what differs in the record; parts and crops under names made from where their sources lie now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipeline.archive.analysis import digest_of
from pipeline.archive.results.crops import crops_folder
from pipeline.archive.results.store import Store
from pipeline.archive.sources import Source, Version, sha256_of, version_of
from pipeline.archive.units import FACES, HEATMAPS
from pipeline.archive.worker import known


def news_of(source: Source, record: dict[str, Any], version: Version | None) -> dict[str, Any] | None:
    """What differs in a source's record; None where it has failed, or has changed since, or its own columns."""
    if version is None:
        return None if record["failed"] else {}  # not here now: what was read of it stays
    if record["failed"] or list(source.own) != record["own"] or version.size != record["bytes"]:
        return None
    if record["path"] == source.place:  # else `is_moved` has compared them
        if version.mtime_ns == record["mtime_ns"] or not (sha256 := sha256_of(source.path)):
            return {}  # the same, or cannot be read now: the next run looks again
        if sha256 != record["sha256"]:
            return None
    return {"path": source.place} | known(version)


def is_moved(source: Source, record: dict[str, Any], version: Version | None) -> bool:
    """Is it what another source of its name was, which is no longer there?"""
    if version is None or version.size != record["bytes"] or version_of(record["path"]) is not None:
        return False
    return sha256_of(source.path) == record["sha256"] != ""


def move_crops(store: Store, source: Source, before: str) -> None:
    """To the folder of a source that lay at `before`."""
    old, new = crops_folder(replace(source, path=before)), crops_folder(source)
    for name in store.names(old):
        store.move(name, name.replace(old, new, 1))
    store.delete_folder(old)


def rename_part(store: Store, name: str, paths: Sequence[str]) -> str:
    """Name a part by where its sources lie now, since a unit of what lies there later has the old name; the new one."""
    renamed = f"{FACES}/part-{digest_of({'paths': paths})}.parquet"
    old, new = (part.replace(FACES, HEATMAPS, 1) for part in (name, renamed))
    if renamed != name:
        if store.exists(old):
            store.write_table(new, store.read_table(old), [])  # before, so that wherever this ends they are there
        store.move(name, renamed)
        store.delete(old)
    return renamed
