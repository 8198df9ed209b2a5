"""File names for what is made of each source.

In:  frames, which say what they are of; a folder.
Out: names below a folder that every system takes and no two sources share; names that tell the time.
"""

from __future__ import annotations

import datetime
import itertools
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

from data.sources.frame import Frame
from support.files import numbered

LONGEST_BYTES = 200  # of a part of a name; file systems take 255, of which endings need some
SNAPSHOTS, RECORDINGS, REPORTS = Path("snapshots"), Path("recordings"), Path("reports")  # of the keys
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]')  # on one system or another
_DEVICE = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", re.IGNORECASE)  # what Windows takes for no file


class OutputNames:
    """A relative path for what is made of each film, picture or camera: its own name, made unique and safe.

    ending: makes the file's name from the plain one and a frame. Left out, the plain name stays.
    holiday/a.jpg stays so. Of two files of one name, which a list of files may have, the second becomes a-2.jpg.
    """

    def __init__(self, ending: Callable[[Path, Frame], Path] = lambda name, frame: name) -> None:
        self._ending = ending
        self._names: dict[object, Path] = {}
        self._taken: set[str] = set()  # as `_alike` has them

    def of(self, frame: Frame) -> Path:
        """The path for what `frame` is of; the same for all frames of it."""
        if frame.origin not in self._names:
            plain = Path(*[safe for part in frame.name.split("/") if (safe := _safe(part))] or ["source"])
            candidates = itertools.chain([plain], (numbered(plain, number) for number in itertools.count(2)))
            names = (self._ending(candidate, frame) for candidate in candidates)
            self._names[frame.origin] = next(name for name in names if _alike(name) not in self._taken)
            self._taken.add(_alike(self._names[frame.origin]))
        return self._names[frame.origin]


def _alike(name: Path) -> str:
    """The name in one case of letters and one spelling of accents, which some systems do not tell apart."""
    return unicodedata.normalize("NFC", name.as_posix()).casefold()


def _safe(part: str) -> str:
    """A part of a path without what some system does not take; empty where nothing is left or it would lead upwards."""
    part = _DEVICE.sub(r"\1_", _FORBIDDEN.sub("_", part).strip(" "))
    whole = part.encode("utf-8", "replace")[:LONGEST_BYTES].decode("utf-8", "ignore").rstrip(". ")
    return os.fsdecode(whole.encode())  # where the system's encoding is another, such as ASCII, bytes stay the same


def free_name(folder: str | Path, suffix: str = "") -> Path:
    """A name in `folder` that tells the time and is not taken: 2026-11-22_14-03-09.png, then ..._2.png."""
    stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    numbers = itertools.chain([""], (f"_{number}" for number in itertools.count(2)))
    return next(path for n in numbers if not (path := Path(folder) / f"{stamp}{n}{suffix}").exists())
