"""Files of films and pictures: their names as text, their order, which of them a name stands for.

In:  names of files and folders, patterns, lists.
Out: paths in natural order, with the names that results call them by; `UserError` where something is no ordinary file.
"""

from __future__ import annotations

import glob
import logging
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.request import url2pathname

from support import UserError

log = logging.getLogger(__name__)

PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif", ".hif", ".bmp", ".gif", ".tif", ".tiff"),
    *(".jp2", ".ppm", ".pgm", ".pnm"),
)
FILM_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".vob", ".wmv"),
    *(".asf", ".flv", ".ogv", ".3gp", ".3g2", ".mxf", ".y4m", ".dv"),
)
LIST_SUFFIX = ".txt"
LONGEST_NAME = 4096  # characters of a path
FILE_ADDRESS = re.compile(r"file://(?:localhost)?(/.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class SourceFile:
    """A file to be read: where it is, and what results call it."""

    path: Path
    name: str


@dataclass(frozen=True)
class SourceFiles:
    """The files that a name stands for, in order, and one sentence about those beside them that are left out."""

    files: list[SourceFile]
    note: str | None = None


def is_picture(path: str | Path) -> bool:
    """Does the name end like a picture's?"""
    return os.path.splitext(path)[1].lower() in PICTURE_SUFFIXES


def is_film(path: str | Path) -> bool:
    """Does the name end like a film's?"""
    return Path(path).suffix.lower() in FILM_SUFFIXES


def stands_for_several(name: str) -> bool:
    """Is it a folder, a list or a pattern? A file whose name looks like a pattern is that file."""
    return os.path.isdir(name) or _is_pattern(name) or Path(name).suffix.lower() == LIST_SUFFIX


def _is_pattern(name: str) -> bool:
    return glob.has_magic(name) and not os.path.exists(name)


def printable(path: str | Path) -> str:
    """The path as one line that any output takes: bytes that are not UTF-8 become their codes.

    A text longer than any file's name loses its middle.
    """
    try:
        encoded = str(path).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # halves of characters, which JSON can hold and no file's name
        encoded = str(path).encode("utf-8", "replace")
    text = encoded.decode("utf-8", "backslashreplace")
    if len(text) > LONGEST_NAME:
        text = f"{text[:100]}...{text[-100:]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain_name(name: str) -> str:
    """`name`, but a path where it is the address of a file or folder: file:///home/me/a.mp4."""
    address = FILE_ADDRESS.fullmatch(name)
    return url2pathname(address[1]) if address else name


def without_user(address: str) -> str:
    """An address, with or without its scheme, without user and password, which may hold a slash, and `password=...`."""
    scheme, separator, rest = address.rpartition("://")
    first, slash, path = rest.partition("/")
    if "@" in first or ":" not in first or first.rpartition(":")[2].isdigit():  # names of files may hold an @
        rest = first.rpartition("@")[2] + slash + path
    else:
        rest = rest.rpartition("@")[2]
    return scheme + separator + re.sub(r"(pass(?:wor)?d?|pwd)=[^_&/]*", r"\1=...", rest, flags=re.IGNORECASE)


def natural_key(path: str | Path) -> list[list[str | int]]:
    """A sort key by which a2 comes before a10, and what lies in a folder together."""
    parts = printable(path).replace(os.sep, "/").lower().split("/")
    return [[int(text) if text.isdecimal() else text for text in re.split(r"(\d+)", part)] for part in parts]


def refuse_special_files(path: str | Path) -> None:
    """`UserError` for what is there and no ordinary file: reading it could wait for ever, or never end."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # opening it says why
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise UserError(f"{printable(path)} is a folder; wanted is a film or a picture.")
    kinds = {stat.S_ISFIFO: "a named pipe", stat.S_ISSOCK: "a socket"}
    kind = next((words for is_kind, words in kinds.items() if is_kind(mode)), "a device")
    raise UserError(f"{printable(path)} is {kind}; wanted is a file, a camera's number or an address.")


def open_file(path: str | Path) -> BinaryIO:
    """The file, to be read; `UserError` where it is missing or no ordinary file."""
    refuse_special_files(path)
    try:
        return open(path, "rb")
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise UserError(f"cannot open {printable(path)}: {getattr(error, 'strerror', error)}.") from error


def list_files(name: str) -> SourceFiles:
    """The films and pictures of a folder with its subfolders, of a pattern, or of a .txt list; `UserError` if none.

    Hidden files and folders are left out. A list names one file, folder or pattern a line, relative to its own folder;
    empty lines and those that begin with # do not count. What a list names is taken whatever its suffix is.
    """
    if os.path.isdir(name):
        paths, others = _media_of(_walk(Path(name)))
    elif Path(name).suffix.lower() == LIST_SUFFIX and not _is_pattern(name):
        paths, others = _in_list(Path(name))
    else:
        paths, others = _by_pattern(name)
    if not paths:
        wanted = ", ".join(PICTURE_SUFFIXES + FILM_SUFFIXES)
        raise UserError(f"no films or pictures in {printable(name)}; wanted are {wanted}.")
    try:
        base = _base(name, paths)
    except ValueError:  # they lie on several drives
        files = [SourceFile(path, printable(path.as_posix()).replace(":", "").lstrip("/")) for path in paths]
    else:
        files = [SourceFile(path, printable(os.path.relpath(path, base)).replace(os.sep, "/")) for path in paths]
    no_media = "file is no film or picture" if others == 1 else "files are no films or pictures"
    note = f"{others} {no_media} in {printable(name)}: left out." if others else None
    return SourceFiles(files, note)


def _base(name: str, paths: list[Path]) -> Path:
    """The folder below which results name the files: the one named, or the deepest that holds them all."""
    folder = Path(name) if os.path.isdir(name) else Path(name).parent
    while glob.has_magic(str(folder)) and not folder.exists():
        folder = folder.parent
    absolute = [os.path.abspath(path) for path in paths]
    if all(Path(path).is_relative_to(os.path.abspath(folder)) for path in absolute):
        return folder
    return Path(os.path.commonpath([os.path.dirname(path) for path in absolute]))


def _media_of(files: Iterable[Path]) -> tuple[list[Path], int]:
    """Films and pictures among the files, in order, and how many other files there are."""
    found = list(files)
    media = [path for path in found if is_picture(path) or is_film(path)]
    return sorted(media, key=natural_key), len(found) - len(media)


def _walk(folder: Path) -> Iterator[Path]:
    """All files below, those of each linked folder once.

    Linked folders come last, so that a link to a folder beside it does not take over its name.
    """
    waiting, linked, seen = [folder], list[Path](), set[str]()
    while waiting or linked:
        inner = (waiting or linked).pop()
        if (real := os.path.realpath(inner)) in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(inner), key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            if inner is folder:
                raise UserError(f"cannot read the folder {printable(inner)}: {error.strerror}.") from error
            log.warning("skipped: the folder %s: %s.", printable(inner), error.strerror)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if os.path.isdir(entry):  # entry.is_dir raises for a link to what may not be looked at
                (linked if os.path.islink(entry) else waiting).append(Path(entry.path))
            else:
                yield Path(entry.path)


def _by_pattern(pattern: str) -> tuple[list[Path], int]:
    return _media_of(Path(match) for match in glob.glob(pattern, recursive=True) if not os.path.isdir(match))


def _in_list(path: Path) -> tuple[list[Path], int]:
    """What the lines of a list stand for, in its order."""
    with open_file(path) as file:
        content = file.read()
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        lines = ["\0"]
    if any("\0" in line for line in lines):  # as UTF-16 has, too
        raise UserError(f"{printable(path)} is not UTF-8 text; wanted is a list with one source a line.")
    paths: list[Path] = []
    others = 0
    for line in (plain_name(line.strip()) for line in lines):
        if not line or line.startswith("#"):
            continue
        if "://" in line:
            raise UserError(f"{printable(path)} names an address; wanted are films, pictures and folders.")
        entry = path.parent / line
        if not stands_for_several(str(entry)):
            paths.append(entry)
            continue
        if entry.suffix.lower() == LIST_SUFFIX and not entry.is_dir():
            raise UserError(f"{printable(path)} names another list, {line}; wanted are films, pictures and folders.")
        more, left_out = _media_of(_walk(entry)) if entry.is_dir() else _by_pattern(str(entry))
        paths += more
        others += left_out
    return list(dict.fromkeys(paths)), others
