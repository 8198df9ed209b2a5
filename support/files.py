"""Files that are complete or not there.

In:  a path to write.
Out: a temporary name beside it, renamed onto it when all has gone well.

What a kill leaves behind has `.partial` in its name.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from support.cli import FAILED, UserError, refuse_special_file

STEM_LENGTH = 40  # of a temporary name, which file systems limit to 255 bytes


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, renamed onto it at the end: the file is complete or not there.

    On an error the temporary file goes and an older `path` stays as it was. A folder that is missing is made; one
    that cannot be written raises `UserError`. A link is followed; a device, a pipe or a folder is refused.
    """
    path = Path(os.path.realpath(path))
    refuse_special_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.stem[:STEM_LENGTH]}-{secrets.token_hex(4)}.partial{path.suffix}")
        held = open(temporary, "xb")  # noqa: SIM115 - below
    except OSError as error:
        raise cannot_write(path, error) from error
    with held:
        lock(held)  # so that `left_behind` does not name it
        if os.name == "nt":  # where an open file cannot be renamed
            held.close()
        try:
            yield temporary
            if path.exists():
                shutil.copymode(path, temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


class PartialFile:
    """A file that grows for a long time: seen.partial.mp4 until `finish` gives it its own name, seen.mp4.

    file: open for writing, unbuffered: what is written outlives a kill of the process. It is locked, so that
        `left_behind` knows it from the files of runs that have ended. partial: its name until then.
    A link is followed. Raises `UserError` where the file cannot be made; a folder that is missing is made.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(os.path.realpath(path))
        self._before = _version(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.partial, self.file = self._created()
        except OSError as error:
            raise cannot_write(path, error) from error
        lock(self.file)

    def _created(self) -> tuple[Path, BinaryIO]:
        """A new file under the first name that is free: another run may be writing the same one."""
        for number in itertools.count(1):
            marker = ".partial" if number == 1 else f".partial-{number}"
            partial = self.path.with_name(self.path.stem[:STEM_LENGTH] + marker + self.path.suffix)
            with contextlib.suppress(FileExistsError):
                return partial, open(partial, "xb", buffering=0)
        raise AssertionError  # the numbers do not end

    def write(self, content: bytes) -> None:
        """Write all of it or raise OSError; a disk that fills up takes a part first."""
        while content:
            content = content[self.file.write(content) :]

    def finish(self) -> Path:
        """Close the file and give it its name, or seen-2.mp4 where another program wrote seen.mp4 meanwhile."""
        self.file.close()
        path = self.path
        if _version(path) != self._before:
            path = next(free for n in itertools.count(2) if not (free := numbered(path, n)).exists())
        try:
            os.replace(self.partial, path)
        except OSError as error:
            problem = f"is complete but cannot be renamed to {path.name}: {error.strerror}"
            if not self.partial.exists():
                problem = f"is gone: it was removed or moved while it was written, so there is no {self.path.name}"
            raise UserError(f"{self.partial} {problem}.", exit_code=FAILED) from error
        return path

    def discard(self) -> None:
        """Close the file and remove it."""
        self.file.close()
        self.partial.unlink(missing_ok=True)


def left_behind(folder: Path, name: str | None = None) -> list[Path]:
    """Temporary files in `folder` that no running program writes: those of the file `name`, or of any."""
    stem, suffix = os.path.splitext(name or "")
    stem = glob.escape(stem[:STEM_LENGTH]) if name else "*"
    found = {*folder.glob(f"{stem}.partial*{suffix or '.*'}"), *folder.glob(f".{stem}-*.partial{suffix or '.*'}")}
    return sorted(path for path in found if path.is_file() and not _is_locked(path))


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[str]:
    """A folder for temporary files, gone at the end; those of the same prefix that killed programs left go now."""
    if os.name != "nt":  # where no file counts as locked
        for held in Path(tempfile.gettempdir()).glob(f"{prefix}*/held"):
            if not _is_locked(held):
                shutil.rmtree(held.parent, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix) as folder, open(os.path.join(folder, "new"), "wb") as file:
        lock(file)
        if os.name != "nt":
            os.rename(file.name, os.path.join(folder, "held"))  # locked already when others see it
        yield folder


def numbered(path: Path, number: int) -> Path:
    """`path` with a number at the end of its stem: a-2.png."""
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def cannot_write(path: str | Path, error: OSError) -> UserError:
    """The sentence for a file that the system refuses."""
    return UserError(f"cannot write {path}: {error.strerror or error}; name another place.", exit_code=FAILED)


def write_file(path: str | Path, content: str | bytes) -> None:
    """A text, in UTF-8, or bytes, by `atomic_write`; `UserError` also where the disk does not take all of it."""
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise cannot_write(path, error) from error


def write_json(value: object, path: str | Path | None = None) -> None:
    """Plain JSON values, indented, to `path`, whole or not at all; to stdout where there is no path."""
    text = json.dumps(value, indent=1)
    if path:
        write_file(path, text + "\n")
    else:
        print(text)


def _version(path: Path) -> tuple[int, ...] | None:
    """What changes when another file takes the name or this one is written; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def lock(file: BinaryIO) -> bool:
    """Lock an open file until it is closed, by whatever means; False where another program holds it."""
    try:
        import fcntl  # Windows has none; there no file counts as locked
    except ModuleNotFoundError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def _is_locked(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return not lock(file)
    except OSError:
        return False
