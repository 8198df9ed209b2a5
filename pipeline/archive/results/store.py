"""Where results lie: a folder, or the same at an address, through pyarrow's file systems.

In:  Parquet tables and small JSON files by name.
Out: the same, each complete or not there; names that begin with a dot are on their way.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import io
import itertools
import json
import os
import platform
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from data.sources.files import plain_name, without_user
from support import FAILED, UserError

CROPS = "_crops"  # folder
RECORDS = b"archive"  # key of a part's own metadata: what is known of its sources, as JSON
RECORD = {  # of one of them (`pipeline.archive.worker.new_record`)
    "source": str, "path": str, "kind": str, "frames": int, "promised": int | None, "skipped": int, "faces": int,
    "seconds": int | float, "seams": int, "doubts": list, "problem": str | None, "failed": bool, "sha256": str,
    "bytes": int | None, "mtime_ns": int | None, "own": list,
}  # fmt: skip
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://(.*?)(\?\w+=[^?]*)?", re.DOTALL)  # scheme, path, options
GOOGLE, GOOGLE_WAIT = ("gs", "gcs"), "retry_limit_seconds"  # an option, without which it tries for a quarter of an hour
WAIT_S = 30
_GOOGLE_SAYS = re.compile(r"::Status\(\w+: (?:.*?last message of )?(?:PerformWork.*?=)?(.*?) error_info", re.DOTALL)
_numbers = itertools.count()


class CannotStore(UserError):
    """Results cannot be written, which is no fault of a source."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, exit_code=FAILED)


def is_address(name: str) -> bool:
    """Is it s3://bucket/folder or the like, and no path?"""
    return _ADDRESS.fullmatch(name) is not None


def split_address(address: str) -> tuple[str, str, str]:
    """The scheme, the path with its bucket and all its `?`s, and the options with the `?` before them, or ""."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ValueError(f"{address} is no address")
    return match[1], match[2], match[3] or ""


def shown(address: str) -> str:
    """The address, or path, as it may be printed: without a user, password or options."""
    if not is_address(address):
        return address
    scheme, path, _ = split_address(address)
    return f"{scheme}://{without_user(path)}"


def reason_of(error: OSError) -> str:
    """What a file system said, without the names of its program's parts."""
    reason = error.strerror or str(error)
    if said := _GOOGLE_SAYS.search(reason):
        reason = said[1].split(". ")[0].replace("Received HTTP status code: 404", "there is no such bucket")
    if "access token" in reason:
        reason += "; run gcloud auth application-default login, or write gs://anonymous@bucket where anyone may read"
    return reason.rstrip(".")


@functools.cache
def _filesystem(scheme_and_host: str) -> pa.fs.FileSystem:
    try:
        scheme, _, options = split_address(scheme_and_host)
        waiting = scheme in GOOGLE and GOOGLE_WAIT not in options
        more = f"{'&' if options else '?'}{GOOGLE_WAIT}={WAIT_S}" if waiting else ""
        return pa.fs.FileSystem.from_uri(scheme_and_host + more)[0]
    except (pa.ArrowInvalid, OSError, ImportError) as error:
        name = shown(scheme_and_host)
        reason = str(error).replace(scheme_and_host, name)
        raise UserError(f"{name} cannot be reached: {reason}.", exit_code=FAILED) from error


def whole_path(place: str) -> str:
    """Absolute, or the address as it is."""
    return place if is_address(place) else os.path.abspath(place)


def open_place(address: str) -> tuple[pa.fs.FileSystem, str]:
    """The file system of an address or path, and the path in it."""
    address = plain_name(address)
    if not is_address(address):
        return pa.fs.LocalFileSystem(), whole_path(address)
    scheme, path, options = split_address(address)  # s3://bucket/folder?endpoint_override=...
    bucket = path.partition("/")[0]
    if not bucket:
        raise UserError(f"{shown(address)} names no bucket; write {scheme}://BUCKET/FOLDER.")
    return _filesystem(f"{scheme}://{bucket}{options}"), without_user(path).removesuffix("/")


@contextlib.contextmanager
def told(place: str) -> Iterator[None]:
    """Inside, errors of an address's file system become a `UserError`; a folder's are raised as they are."""
    try:
        yield
    except OSError as error:
        if error.filename or (error.strerror and not is_address(place)):
            raise
        raise UserError(f"cannot read {shown(place)}: {reason_of(error)}.", exit_code=FAILED) from error


class Store:
    """The folder of results. `UserError` where it cannot be written."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.filesystem, self.root = open_place(place)
        self.is_local = isinstance(self.filesystem, pa.fs.LocalFileSystem)

    def path(self, name: str) -> str:
        """In the file system."""
        return f"{self.root}/{name}"

    def write_table(self, name: str, table: pa.Table, records: Any = None) -> None:
        """A Parquet file, zstd; `records`: JSON values kept in its own metadata."""
        if records is not None:
            table = table.replace_schema_metadata({RECORDS: json.dumps(records)})
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        self.write_bytes(name, buffer.getbuffer())

    def write_json(self, name: str, value: object) -> None:
        """Plain JSON values."""
        self.write_bytes(name, json.dumps(value, indent=1).encode())

    def write_bytes(self, name: str, content: bytes | memoryview) -> None:
        """Write under a name of its own, then rename."""
        with self.replacing(name) as partial, self.filesystem.open_output_stream(partial) as file:
            file.write(content)

    @contextlib.contextmanager
    def replacing(self, name: str) -> Iterator[str]:
        """A path beside that of `name`, which takes its place at the end."""
        folder, _, last = self.path(name).rpartition("/")
        partial = f"{folder}/.{last}.partial-{platform.node()}-{os.getpid()}-{next(_numbers)}"
        try:
            if self.is_local:  # elsewhere folders are but beginnings of names, and making one may want rights
                self.filesystem.create_dir(folder, recursive=True)
            try:
                yield partial
                self.filesystem.move(partial, self.path(name))
            except BaseException:
                with contextlib.suppress(OSError):
                    self.filesystem.delete_file(partial)
                raise
        except OSError as error:
            raise CannotStore(f"cannot write {shown(self.place)}/{name}: {reason_of(error)}.") from error

    def move(self, name: str, to: str) -> None:
        """Give a file another name, in a folder that is made where it is not there."""
        try:
            if self.is_local:
                self.filesystem.create_dir(self.path(to).rpartition("/")[0], recursive=True)
            self.filesystem.move(self.path(name), self.path(to))
        except OSError as error:
            raise CannotStore(f"cannot write {shown(self.place)}/{to}: {reason_of(error)}.") from error

    def read_json(self, name: str) -> dict[str, Any] | None:
        """An object; None where there is none. `UserError` where it holds something else."""
        if not self.exists(name):
            return None
        with self.filesystem.open_input_stream(self.path(name)) as file:
            content = file.read()
        try:
            values = json.loads(content)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise UserError(f"{shown(self.place)}/{name} is damaged, or of another program; name another folder.")
        return values

    def read_table(self, name: str) -> pa.Table:
        """A Parquet file's rows, without its metadata."""
        return pq.read_table(self.path(name), filesystem=self.filesystem, partitioning=None).replace_schema_metadata()

    def records(self, name: str) -> Any:
        """What is known of a part's sources; None where it is not there, damaged, or of another program.

        Raises OSError where it cannot be read, which is no reason to do its work again.
        """
        try:
            return _records_in(pq.read_metadata(self.path(name), filesystem=self.filesystem))
        except FileNotFoundError:
            return None
        except (OSError, pa.ArrowInvalid):  # the file is damaged, or what lies between
            with self.filesystem.open_input_stream(self.path(name)) as file:
                content = file.read()
        try:
            return _records_in(pq.read_metadata(io.BytesIO(content)))
        except (OSError, pa.ArrowInvalid):
            return None

    def exists(self, name: str) -> bool:
        """Is there such a file?"""
        return self.filesystem.get_file_info(self.path(name)).is_file

    def names(self, folder: str, pattern: str = "[!.]*") -> list[str]:
        """The files in a folder whose names match, sorted."""
        found = [info.base_name for info in self._in(folder) if info.is_file]
        return sorted(f"{folder}/{name}" for name in fnmatch.filter(found, pattern))

    def folders(self, folder: str) -> list[str]:
        """The folders in a folder."""
        return [f"{folder}/{i.base_name}" for i in self._in(folder) if i.type == pa.fs.FileType.Directory]

    def _in(self, folder: str) -> list[pa.fs.FileInfo]:
        return self.filesystem.get_file_info(pa.fs.FileSelector(self.path(folder), allow_not_found=True))

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self.filesystem.delete_file(self.path(name))

    def delete_folder(self, name: str) -> None:
        """Remove a folder with its files, if it is there."""
        path = self.path(name)
        if self.filesystem.get_file_info(path).type != pa.fs.FileType.NotFound:
            with contextlib.suppress(FileNotFoundError):  # a bucket's folder is gone with its files
                self.filesystem.delete_dir(path)


def _records_in(metadata: pq.FileMetaData) -> Any:
    """None where the file holds none, or others than this program writes."""
    try:
        records = json.loads((metadata.metadata or {})[RECORDS])
    except (KeyError, ValueError, RecursionError):
        return None
    return records if isinstance(records, list) and all(map(_is_record, records)) else None


def _is_record(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == RECORD.keys()
        and all(isinstance(value[name], kind) for name, kind in RECORD.items())
    )
