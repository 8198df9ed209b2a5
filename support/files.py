"""Files that are complete or not there.

In:  a path to write.
Out: a temporary name beside it, renamed onto it when all has gone well.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from support.cli import FAILED, UserError


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`, renamed onto it at the end: the file is complete or not there.

    On an error the temporary file goes and an older `path` stays as it was. A folder that is missing is made; one
    that cannot be written raises `UserError`.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; name another place.", exit_code=FAILED) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp's 0600 would hide the file from others
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(value: object, path: str | Path | None = None) -> None:
    """Plain JSON values, indented, to `path`, whole or not at all; to stdout where there is no path."""
    text = json.dumps(value, indent=1)
    if not path:
        print(text)
        return
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
