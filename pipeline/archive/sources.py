"""The films and pictures of an archive: found, named, told apart, and brought to this machine.

In:  names: files, folders, patterns, a .txt or .csv list of them, addresses (s3://bucket/folder, gs://...).
Out: `Source`s in order, each once; of an address a temporary copy while it is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from data.sources.files import (
    LIST_SUFFIX,
    is_film,
    is_picture,
    list_files,
    natural_key,
    open_file,
    plain_name,
    printable,
    stands_for_several,
)
from data.sources.pictures import holds_picture
from data.tables import read_rows
from pipeline.archive.results.store import CROPS, is_address, open_place, reason_of, shown, split_address
from support import FAILED, UserError

if TYPE_CHECKING:
    import pyarrow.fs

COLUMN, TABLE_SUFFIX = "source", ".csv"  # of a table of sources; its other columns are carried along
CHUNK = 2**20  # bytes
Alive = Callable[[], None]  # called again and again by what may take long


@dataclass(frozen=True, slots=True)
class Version:
    """By what a changed file is known: size in bytes and time of change; where these differ, its SHA-256 decides."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Source:
    """A film or picture. path: absolute, or its address. name: what results call it. own: values of own columns.

    listed: its version, where a bucket's listing told it, since asking for each of a million takes hours.
    """

    path: str
    name: str
    is_picture: bool
    own: tuple[str, ...] = ()
    listed: Version | None = field(default=None, compare=False)

    @property
    def place(self) -> str:
        """The path, of an address without user, password and options: what results may hold."""
        return shown(self.path)


def list_sources(
    names: Sequence[str], *, results: str | None = None
) -> tuple[list[Source], tuple[str, ...], list[str]]:
    """All films and pictures that the names stand for, the names of own columns, and sentences about what is left out.

    Names are the paths as given, with `/`. results: their place, whose crops are no sources. Raises `UserError` where a
    name stands for nothing, or lists disagree.
    """
    found: dict[str, Source] = {}
    columns: tuple[str, ...] | None = None
    notes: list[str] = []
    crops = None if results is None else _crops_below(results)
    for name in names:
        more, more_columns = _sources_of(name, notes)
        if columns is not None and columns != more_columns:
            raise UserError(
                f"{printable(shown(name))} has {', '.join(more_columns) or 'no columns'} beside its sources, and what "
                f"was named before has {', '.join(columns) or 'none'}; give all lists the same columns."
            )
        columns = more_columns
        for source in more:
            real = source.place if is_address(source.path) else os.path.realpath(source.path)
            if crops is not None and real.startswith(crops):
                continue
            if found.setdefault(source.place, source).own != source.own:
                notes.append(f"{source.name} is listed twice with different columns; the first ones count.")
    return list(found.values()), columns or (), notes


def _crops_below(results: str) -> str:
    results = plain_name(results)
    if not is_address(results):
        return os.path.join(os.path.realpath(results), CROPS, "")
    scheme, path, _ = split_address(results)
    return f"{scheme}://{path.removesuffix('/')}/{CROPS}/"


def _sources_of(name: str, notes: list[str]) -> tuple[list[Source], tuple[str, ...]]:
    name = plain_name(name)
    if not is_address(name) and Path(name).suffix.lower() == TABLE_SUFFIX and not os.path.isdir(name):
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
    place, name = os.path.abspath(path), os.path.normpath(path)
    if ".." in Path(path).parts and os.path.realpath(path) != os.path.realpath(place):
        place = name = os.path.realpath(path)  # behind a link `..` leads elsewhere than the text says
    name = printable(name).replace(os.sep, "/")
    return Source(place, name, is_picture(path) or (not is_film(path) and holds_picture(path)))


def _at_address(address: str) -> Iterator[Source]:
    """The films and pictures below an address, or the one that it names."""
    import pyarrow.fs

    filesystem, root = open_place(address)
    scheme, path, options = split_address(address)
    start = f"{scheme}://{path.removesuffix('/').removesuffix(root)}"
    if root.lower().endswith((LIST_SUFFIX, TABLE_SUFFIX)):
        raise UserError(f"{shown(address)} is a list; lists are read from this machine: copy it here.")
    try:
        infos = [filesystem.get_file_info(root)]
        if infos[0].type == pyarrow.fs.FileType.Directory:
            infos = filesystem.get_file_info(pyarrow.fs.FileSelector(root, recursive=True))
            infos = [info for info in infos if not any(part.startswith(".") for part in info.path.split("/"))]
            infos = sorted(
                (i for i in infos if is_picture(i.path) or is_film(i.path)), key=lambda i: natural_key(i.path)
            )
    except OSError as error:
        raise UserError(f"{shown(address)} cannot be read: {reason_of(error)}.", exit_code=FAILED) from error
    infos = [info for info in infos if info.is_file]
    if not infos:
        raise UserError(f"there is no film or picture at {shown(address)}; check the address.")
    for info in infos:
        name = shown(start + info.path)
        yield Source(start + info.path + options, name, is_picture(info.path), listed=_version(info))


def _in_table(path: Path, notes: list[str]) -> tuple[list[Source], tuple[str, ...]]:
    """The sources of a .csv list, relative to its folder, with the other columns' texts."""
    (_, header), *rows = [*read_rows(path)] or [(1, [])]
    if not rows or COLUMN not in header:
        raise UserError(f"{printable(path)} needs a first row of names, a column `{COLUMN}`, and rows below it.")
    if len(set(header)) < len(header):
        raise UserError(f"{printable(path)} names a column twice; give each a name of its own.")
    place = header.index(COLUMN)
    sources = []
    for line, fields in rows:
        if len(fields) > len(header):
            raise UserError(
                f"{printable(path)}:{line} has more cells than its first row has names; quote cells with commas."
            )
        own = fields + [""] * (len(header) - len(fields))
        if not (name := plain_name(own.pop(place))):
            raise UserError(f"{printable(path)}:{line} names no source; fill its cell or delete the row.")
        if not is_address(name):
            name = str(path.parent / name)
        several = is_address(name) or stands_for_several(name)
        listed = _plain(name, notes) if several else [_local(name)]  # one that is missing is a failure as others are
        sources += [replace(one, own=tuple(own)) for one in listed]
    return sources, tuple(name for name in header if name != COLUMN)


def version_of(path: str) -> Version | None:
    """Size and time of change; None where the file is not there."""
    if is_address(path):
        filesystem, root = open_place(path)
        info = filesystem.get_file_info(root)
        return _version(info) if info.is_file else None
    try:
        status = os.stat(path)
    except OSError:
        return None
    return Version(status.st_size, status.st_mtime_ns)


def _version(info: pyarrow.fs.FileInfo) -> Version:
    return Version(info.size, info.mtime_ns or 0)


@contextlib.contextmanager
def local_copy(path: str, *, alive: Alive = lambda: None) -> Iterator[str]:
    """The file on this machine: itself, or a copy of what lies at an address, which goes afterwards."""
    if not is_address(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="archive-") as folder:
        filesystem, root = open_place(path)
        copy = os.path.join(folder, "source" + Path(root).suffix)
        with filesystem.open_input_stream(root) as remote, open(copy, "wb") as local:
            while chunk := remote.read(CHUNK):
                local.write(chunk)
                alive()
        yield copy


def sha256_of(path: str, *, alive: Alive = lambda: None) -> str:
    """Of a file's bytes, in hexadecimal digits; "" where it cannot be read, which analysing it says."""
    digest = hashlib.sha256()
    try:
        with local_copy(path) as copy, open_file(copy) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                alive()
    except (OSError, UserError):
        return ""
    return digest.hexdigest()
