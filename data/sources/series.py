"""Many films and pictures, one after the other, as one source.

In:  the name of a folder, a pattern or a list.
Out: a `FileSource` of the frames of all its files; one that cannot be read is skipped, and no number shifts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from data.sources.files import SourceFile, is_picture, list_files, printable
from data.sources.film import open_film
from data.sources.frame import FileSource, Frame, FrameSource, Skipped
from data.sources.pictures import open_picture
from support import FAILED, UserError

log = logging.getLogger(__name__)


def open_series(name: str) -> FileSource:
    """The films and pictures of a folder, a pattern or a list, in order; `UserError` where there are none.

    Films keep their own numbers and times; pictures are numbered through. `count` is known where all are pictures.
    """
    found = list_files(name)
    all_pictures = all(is_picture(file.path) for file in found.files)
    count = len(found.files) if all_pictures else None
    source = FileSource(printable(name), _frames(found.files, name), count=count, stills=all_pictures)
    source.note = found.note
    return source


def _frames(files: list[SourceFile], name: str) -> Iterator[Frame | Skipped | str]:
    """The frames of `files`, what of them could not be read, and what they note; `UserError` where all failed."""
    pictures = given = 0
    for file in files:
        try:
            with _open(file, picture_index=pictures) as source:
                for frame in source:
                    yield from _news(source)
                    yield frame
                    given += 1
                yield from _news(source)
        except UserError as error:
            log.warning("skipped: %s", error)
            index = pictures if is_picture(file.path) else 0
            yield Skipped(file.name, index, str(error), path=file.path)
        pictures += is_picture(file.path)
    if given == 0:
        raise UserError(f"none of the {len(files)} files in {printable(name)} could be read.", exit_code=FAILED)


def _open(file: SourceFile, *, picture_index: int) -> FrameSource:
    if is_picture(file.path):
        return open_picture(file.path, name=file.name, index=picture_index)
    return open_film(file.path, name=file.name)


def _news(source: FrameSource) -> Iterator[Skipped | str]:
    """What `source` has skipped and noted since it was asked last."""
    yield from source.take_skipped()
    if source.note:
        yield source.note
        source.note = None
