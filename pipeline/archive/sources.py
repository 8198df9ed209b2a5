"""The films and pictures of an archive: found, named, told apart, and brought to this machine.

In:  names: files, folders, patterns, a .txt or .csv list of them, addresses (s3://bucket/folder, gs://...).
Out: `Source`s in order, each once; of an address a temporary copy while it is read.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.sources.files import is_film, is_picture, list_files, natural_key, printable, stands_for_several
from data.sources.pictures import holds_picture
from pipeline.archive.results.store import is_address, open_place, shown
from support import UserError

COLUMN = "source"  # of a .csv list; its other columns are carried along
CHUNK = 2**20  # bytes


@dataclass(frozen=True, slots=True)
class Source:
    """A film or picture. path: absolute, or its address. name: what results call it. own: values of own columns."""

    path: str
    name: str
    is_picture: bool
    own: tuple[str, ...] = ()


@dataclass(frozen=True)
class Version:
    """By what a changed file is known: size in bytes and time of change; where these differ, its SHA-256 decides."""

    size: int
    mtime_ns: int


def list_sources(names: Sequence[str]) -> tuple[list[Source], tuple[str, ...], list[str]]:
    """All films and pictures that the names stand for, the names of own columns, and sentences about what is left out.

    Names are the paths as given, with `/`. Raises `UserError` where a name stands for nothing, or lists disagree.
    """
    found: dict[str, Source] = {}
    columns: tuple[str, ...] | None = None
    notes: list[str] = []
    for name in names:
        more, more_columns = _sources_of(name, notes)
        if columns is not None and columns != more_columns:
            raise UserError(f"{name} has the columns {more_columns} beside its sources, the lists before {columns}.")
        columns = more_columns
        for source in more:
            found.setdefault(source.path, source)
    return list(found.values()), columns or (), notes


def _sources_of(name: str, notes: list[str]) -> tuple[list[Source], tuple[str, ...]]:
    if not is_address(name) and Path(name).suffix.lower() == ".csv":
        return _in_table(Path(name), notes)
    return list(_plain(name, notes)), ()


def _plain(name: str, notes: list[str]) -> Iterator[Source]:
    """What a file, folder, pattern, .txt list or address stands for."""
    if is_address(name):
        yield from _at_address(name)
    elif stands_for_several(name):
        listed = list_files(name)
        notes += [listed.note] if listed.note else []
        yield from (_local(file.path) for file in listed.files)
    elif not os.path.isfile(name):
        raise UserError(f"there is no file or folder {printable(name)}; name films, pictures, folders or lists.")
    else:
        yield _local(name)


def _local(path: str | Path) -> Source:
    name = printable(os.path.normpath(path)).replace(os.sep, "/")
    return Source(os.path.abspath(path), name, is_picture(path) or (not is_film(path) and holds_picture(path)))


def _at_address(address: str) -> Iterator[Source]:
    """The films and pictures below an address, or the one that it names."""
    import pyarrow.fs

    filesystem, root = open_place(address)
    info = filesystem.get_file_info(root)
    base, question, options = address.partition("?")
    start = base.removesuffix("/").removesuffix(root)
    if info.type == pyarrow.fs.FileType.File:
        paths = [root]
    elif info.type == pyarrow.fs.FileType.Directory:
        infos = filesystem.get_file_info(pyarrow.fs.FileSelector(root, recursive=True))
        paths = [i.path for i in infos if i.is_file and not any(p.startswith(".") for p in i.path.split("/"))]
        paths = sorted((path for path in paths if is_picture(path) or is_film(path)), key=natural_key)
    else:
        paths = []
    if not paths:
        raise UserError(f"there is no film or picture at {shown(address)}.")
    for path in paths:
        yield Source(start + path + question + options, shown(start + path), is_picture(path))


def _in_table(path: Path, notes: list[str]) -> tuple[list[Source], tuple[str, ...]]:
    """The sources of a .csv list, relative to its folder, with the other columns' texts."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, restval=""))
    except OSError as error:
        raise UserError(f"cannot open {printable(path)}: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{printable(path)} is no table in UTF-8 ({error}); wanted is a .csv list.") from error
    if not rows or COLUMN not in rows[0]:
        raise UserError(f"{printable(path)} needs a first row of names, a column `{COLUMN}`, and rows below it.")
    if any(None in row for row in rows):
        raise UserError(f"{printable(path)} has a row with more cells than its first row has names.")
    columns = tuple(name for name in rows[0] if name != COLUMN)
    sources = []
    for row in rows:
        name = row[COLUMN]
        listed = _plain(name if is_address(name) else str(path.parent / name), notes)
        own = tuple(row[column] for column in columns)
        sources += [Source(one.path, one.name, one.is_picture, own) for one in listed]
    return sources, columns


def version_of(path: str) -> Version | None:
    """Size and time of change; None where the file is not there."""
    if is_address(path):
        filesystem, root = open_place(path)
        info = filesystem.get_file_info(root)
        return Version(info.size, info.mtime_ns or 0) if info.is_file else None
    try:
        status = os.stat(path)
    except OSError:
        return None
    return Version(status.st_size, status.st_mtime_ns)


@contextlib.contextmanager
def local_copy(path: str) -> Iterator[str]:
    """The file on this machine: itself, or a copy of what lies at an address, which goes afterwards."""
    if not is_address(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="archive-") as folder:
        copy = os.path.join(folder, "source" + Path(path.partition("?")[0]).suffix)
        filesystem, root = open_place(path)
        with filesystem.open_input_stream(root) as remote, open(copy, "wb") as local:
            shutil.copyfileobj(remote, local, CHUNK)
        yield copy


def sha256_of(path: str, *, alive: Callable[[], None] = lambda: None) -> str:
    """Of a file's bytes, in hexadecimal digits; "" where it cannot be read, which analysing it says.

    alive: called again and again meanwhile.
    """
    digest = hashlib.sha256()
    try:
        with local_copy(path) as copy, open(copy, "rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                alive()
    except OSError:
        return ""
    return digest.hexdigest()
