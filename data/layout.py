"""Where things lie in a data set's folder, whoever packed it.

In:  the folder that a person names, or the .zip as it was downloaded.
Out: the folder that a format knows; its pictures; without what systems and notebooks leave beside them.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from data.sources.files import is_picture
from support import FAILED, UserError, notify
from support.cli import ROOT

UNPACKED = ROOT / ".cache" / "data"
LEFTOVERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "thumbs.db", "desktop.ini"}
WIDTH = 20  # folders side by side, one of which may be the root; more are classes or people
LEVELS = 2  # folders between the one that is named and the one that a format knows


def is_leftover(name: str) -> bool:
    """Is this file or folder some system's own, by its name? Names that begin with a dot are (.ipynb_checkpoints)."""
    return name.startswith(".") or name.lower() in LEFTOVERS


def folders_in(folder: Path) -> list[Path]:
    """The folders in `folder`, by name, less leftovers. Raises `UserError` where it cannot be read."""
    return [folder / entry.name for entry in _entries(folder) if _is_folder(entry)]


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """Files and folders in `folder`, by name, less leftovers."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not is_leftover(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}; give yourself the right to.") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """As `entry.is_dir()`, which raises for a link to itself, and for one to what may not be looked at."""
    return os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()


def find_root(folder: Path, fits: Callable[[Path], bool]) -> Path | None:
    """`folder`, or the first folder in it, or in one of these, for which `fits` is true; None where there is none.

    Folders of which more than `WIDTH` stand side by side are not looked into.
    """
    level = [folder] if folder.is_dir() else []
    for _ in range(LEVELS + 1):
        for path in level:
            if fits(path):
                return path
        inside = [folders_in(path) for path in level]
        level = [path for paths in inside if len(paths) <= WIDTH for path in paths]
    return None


def child(folder: Path, *names: str) -> Path | None:
    """The file or folder in `folder` that has one of `names`, in any case; None where there is none."""
    wanted = {name.lower() for name in names}
    try:
        with os.scandir(folder) as entries:
            found = sorted(entry.name for entry in entries if entry.name.lower() in wanted)
        return folder / found[0] if found else None
    except OSError:
        return None


def child_or_zip(folder: Path, name: str) -> Path | None:
    """The file or folder in `folder` that is called `name`, else its .zip, in any case; None where there is none."""
    return child(folder, name) or child(folder, f"{name}.zip")


def contents(path: Path, *names: str) -> Path:
    """The folder `path`, or what is in this .zip; of either the folder of one of `names` in it, where there is one."""
    folder = path if path.is_dir() else unpacked(path)
    return child(folder, *names) or folder


def pictures_in(folder: Path) -> Iterator[Path]:
    """The pictures in `folder` and in the folders in it, by name, less leftovers. Raises `UserError` as above."""
    return map(Path, picture_names(str(folder)))


def picture_names(folder: str) -> Iterator[str]:
    """As `pictures_in`, as text: of a million `Path`s each would take half a kilobyte."""
    return filter(is_picture, file_names(folder))


def file_names(folder: str, *, without: frozenset[str] = frozenset()) -> Iterator[str]:
    """All files in `folder` and in the folders in it, by name, less leftovers. Raises `UserError` as above.

    without: folders, as they really are, that are passed over, as is a link back to a folder around.
    """
    without |= {os.path.realpath(folder)}
    for entry in _entries(folder):
        if _is_folder(entry):
            if os.path.realpath(entry.path) not in without:
                yield from file_names(entry.path, without=without)
        else:
            yield entry.path


def unpacked(path: Path) -> Path:
    """The folder with what is in a .zip, and in every .zip in it, but not in those; unpacked once, beside the project.

    Raises `UserError` where it cannot be read, or the disk is full.
    """
    state = path.stat()
    named = os.fsencode(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}")
    key = hashlib.blake2b(named, digest_size=8).hexdigest()
    folder = UNPACKED / f"{path.stem}-{key}"
    if folder.is_dir():
        return folder
    notify(f"unpacking {path} into {folder}, once")
    try:
        UNPACKED.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=UNPACKED) as temporary:
            inside = Path(temporary) / "data"
            _extract(path, inside)
            for more in sorted(inside.rglob("*")):
                if more.suffix.lower() == ".zip" and more.is_file() and not is_leftover(more.name):
                    _extract(more, more.with_suffix(""))
                    more.unlink()
            if not folder.is_dir():  # another process may have been faster
                inside.rename(folder)
    except OSError as error:
        raise UserError(
            f"cannot unpack {path}: {error.strerror}; unpack it elsewhere and name the folder.", exit_code=FAILED
        ) from error
    return folder


def _extract(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            free = shutil.disk_usage(UNPACKED).free
            if size > free:
                raise UserError(
                    f"{path} unpacks to {size / 1e9:.1f} GB and the disk of {UNPACKED} has {free / 1e9:.1f} GB left; "
                    "make room, or unpack it elsewhere and name the folder.",
                    exit_code=FAILED,
                )
            archive.extractall(folder)  # names with .. or a root stay inside `folder`
    except (
        zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, NotImplementedError, ValueError,
        IndexError,  # zipfile's for an entry without a name
    ) as error:  # fmt: skip
        raise UserError(f"{path} is no whole .zip: {error}; download it again.") from error
    except RuntimeError as error:  # zipfile's word for a password
        raise UserError(f"{path} needs a password; unpack it yourself and name the folder.") from error
