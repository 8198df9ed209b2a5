"""What a session will write, looked at before anything is opened.

In:  the options of the session, the name of the source.
Out: a `UserError` where a file would replace the source or cannot be written; files that earlier runs left behind.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from data.sources.files import plain_name
from data.sources.open_source import source_files
from pipeline.options import SessionOptions
from pipeline.output.encoders import CONTAINERS
from pipeline.output.log import SUFFIXES
from pipeline.output.names import RECORDINGS
from pipeline.output.report import check_folder
from pipeline.output.window import display_available
from support import FAILED, UserError
from support.files import cannot_write, left_behind


def is_folder(save: str) -> bool:
    """Does --save name a folder? One with a / at its end, or one that exists and has no film's name."""
    return save.endswith(("/", os.sep)) or (os.path.isdir(save) and Path(save).suffix.lower() not in CONTAINERS)


def check_targets(options: SessionOptions, source_name: str | None) -> None:
    """Raise `UserError` where an output of `options` is the source, would lose other files, or cannot be written.

    Links, hard links and other spellings of a name are seen through. Nothing is made or changed.
    """
    given = {"--save": options.save, "--log": options.log, "--crops": options.crops, "--report": options.report}
    targets = {flag: name for flag, name in given.items() if name is not None}
    _check_together(options, targets)
    source_name = source_name and plain_name(source_name)
    sources = [*source_files(source_name), Path(source_name)] if source_name is not None else []  # a list is a file too
    for flag, name in targets.items():
        with _refused(flag, name):
            if flag == "--report":
                check_folder(name)
                _check_writable(Path(name))
            elif flag == "--crops" or (flag == "--save" and is_folder(name)):
                _check_new_folder(flag, Path(name), source_name, sources)
            else:
                _check_file(flag, Path(name), sources)


def _check_together(options: SessionOptions, targets: dict[str, str]) -> None:
    """`UserError` where flags exclude or want each other, or a name is empty or given twice."""
    for flag, given in (("--crops", options.crops), ("--report-faces", options.report_faces)):
        if options.blur and given:
            raise UserError(f"{flag} keeps faces as they are, and --blur is to hide them; leave one of the two out.")
    if options.blur and options.every > 1:
        raise UserError(
            "--every looks for faces in some frames only, and --blur hides no face that has moved since; leave one of "
            "the two out."
        )
    if options.ask and not options.show:
        raise UserError("--ask shows a notice in a window, and --no-show opens none; leave one of the two out.")
    if options.report_faces and not (options.report or (options.show and display_available())):
        raise UserError(
            "--report-faces puts pictures of faces into a report, and none is written without --report or a window; "
            "add --report FOLDER, or leave it out."
        )
    for flag, name in targets.items():
        if not name:
            raise UserError(f"{flag} is empty; name a place, or leave the flag out.")
    for (flag, name), (other_flag, other) in itertools.combinations(targets.items(), 2):
        with _refused(other_flag, other):
            if _real(name) == _real(other):
                raise UserError(f"{flag} and {other_flag} both name {other}; name a place for each.")


def leftovers(options: SessionOptions) -> list[Path]:
    """Temporary files beside the outputs of `options` and in the folder of recordings, which no run is writing."""
    found = left_behind(RECORDINGS)
    for name in (options.save, options.log):
        if name and not is_folder(name):
            path = _real(name) if os.path.islink(name) else Path(name)
            found += left_behind(path.parent, path.name)
    folders = (options.save, options.crops, options.report)
    return found + [
        path for folder in folders if folder and os.path.isdir(folder) for path in left_behind(Path(folder))
    ]


@contextlib.contextmanager
def _refused(flag: str, name: str) -> Iterator[None]:
    """What the system says of a name becomes a `UserError`."""
    try:
        yield
    except OSError as error:
        raise cannot_write(f"{flag} {name}", error) from error


def _check_file(flag: str, path: Path, sources: Iterable[Path]) -> None:
    if flag == "--save" and path.suffix.lower() not in CONTAINERS:
        raise UserError(f"--save takes a film ({', '.join(CONTAINERS)}) or a folder (seen/), not {str(path)!r}.")
    if flag == "--log" and path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--log takes a file that ends in {' or '.join(SUFFIXES)}, not {str(path)!r}.")
    if path.is_dir():
        raise UserError(f"{flag} {path} is a folder; name a file in it.")
    if path.exists():
        if not path.is_file():
            raise UserError(f"{flag} {path} is a device or a pipe; name a file.")
        if any(_is_same(path, source) for source in sources):
            raise UserError(f"{flag} {path} is the source itself, which would be lost; name another file.")
        if not os.access(path, os.W_OK):
            raise UserError(f"{flag} {path} is read-only; name another file.", exit_code=FAILED)
    _check_writable(_real(path).parent)


def _check_new_folder(flag: str, folder: Path, source_name: str | None, sources: Iterable[Path]) -> None:
    """A folder that holds nothing yet: files of the same names would be lost."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{flag} {folder} is a file and no folder; name another place.")
    real = _real(folder)
    if any(real == _real(source) or real in _real(source).parents for source in sources):
        raise UserError(f"{flag} {folder} holds the source, whose files would be lost; name another folder.")
    if source_name and os.path.isdir(source_name) and _real(source_name) in real.parents:
        raise UserError(f"{flag} {folder} lies in the source {source_name} and would be a part of it; name another.")
    if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise UserError(f"{flag} {folder} holds files already, which might be lost; name a new folder.")
    _check_writable(folder)


def _check_writable(folder: Path) -> None:
    """Can files be made in the folder, or in the nearest above it that exists? OSError where not."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder):
        pass


def _real(path: str | Path) -> Path:
    return Path(os.path.realpath(path))


def _is_same(path: Path, source: Path) -> bool:
    try:
        return path.samefile(source)
    except OSError:
        return False
