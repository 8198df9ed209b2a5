"""Many films and pictures, one after the other, as one source.

In:  the name of a folder, a pattern or a list.
Out: a `FileSource` of the frames of all its files; one that cannot be read is skipped, and no number shifts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from data.sources.files import SourceFile, list_files, printable
from data.sources.film import expected_frames, open_film
from data.sources.frame import FileSource, Frame, FrameSource, Skipped
from data.sources.pictures import holds_picture, open_picture
from support import FAILED, UserError

MOST_ASKED = 100  # films that are opened at the start to count their frames

log = logging.getLogger(__name__)


def open_series(name: str) -> FileSource:
    """The films and pictures of a folder, a pattern or a list, in order; `UserError` where there are none.

    Films keep their own numbers and times; pictures are numbered through. `count` is known where all files say it.
    """
    found = list_files(name)
    films = [file for file in found.files if not holds_picture(file.path)]
    count = _count(films, pictures=len(found.files) - len(films))
    source = FileSource(printable(name), _frames(found.files, name), count=count)
    if found.note:
        source.tell(found.note)
    return source


def _count(films: list[SourceFile], *, pictures: int) -> int | None:
    """How many frames there are; None where a film does not say, or so many are there that asking takes long."""
    if len(films) > MOST_ASKED:
        return None
    expected = [number for film in films if (number := expected_frames(film.path)) is not None]
    return pictures + sum(expected) if len(expected) == len(films) else None


def _frames(files: list[SourceFile], name: str) -> Iterator[Frame | Skipped | str]:
    """The frames of `files`, what of them could not be read, and what they note; `UserError` where all failed."""
    pictures = given = 0
    for file in files:
        is_picture = holds_picture(file.path)
        at = pictures if is_picture else 0  # the frame that comes next
        try:
            with _open(file, picture_index=pictures if is_picture else None) as source:
                for frame in source:
                    yield from _news(source)
                    yield frame
                    given += 1
                    at = frame.index + 1
                yield from _news(source)
        except UserError as error:
            log.warning("skipped: %s", error)
            title = printable(file.path)
            reason = str(error).removeprefix(f"{title} ").replace(f" {title}", "").removesuffix(".")
            yield Skipped(file.name, at, reason, path=file.path)
        pictures += is_picture
    if given == 0:
        raise UserError(f"none of the {len(files)} files in {printable(name)} could be read.", exit_code=FAILED)


def _open(file: SourceFile, *, picture_index: int | None) -> FrameSource:
    if picture_index is None:
        return open_film(file.path, name=file.name)
    return open_picture(file.path, name=file.name, index=picture_index)


def _news(source: FrameSource) -> Iterator[Skipped | str]:
    """What `source` has skipped and noted since it was asked last."""
    yield from source.take_skipped()
    yield from source.take_notes()
