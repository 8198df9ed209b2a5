"""Which pictures of a data set are broken: all of them decoded once, in all processes, and remembered.

In:  where each picture comes from; the cache through which they are shrunk, which this fills.
Out: what is wrong, by row.

What was found is kept beside the cache, by a digest of the paths, sizes and times of change of all files: another start
on the same files decodes only what was broken, since a package may have been missing, or a right.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import numpy as np

from data.pictures.cache import Picture, PictureCache, decode, keep
from data.sources.files import refuse_special_files
from data.sources.pictures import refuse_damaged_jpeg
from support import FAILED, UserError
from support.jpeg_damage import START, JpegDamage
from support.process import ignore_stop_signals, signals_blocked, usable_cores

CHUNK = 256  # pictures that a process checks at a time
WAITING = 64  # chunks that are handed to the processes at a time: a million pictures are not copied at once
ALONE = 512  # no more than so many are checked in this process


def broken_rows(pictures: Sequence[Picture], use: Callable[[Picture], object]) -> dict[int, str]:
    """Call `use`, which decodes, for every picture; what is wrong with those that it or a JPEG decoder refuses, by row.

    `use` is not called for a damaged picture.
    """
    broken = {}
    with JpegDamage() as damage:
        for row, picture in enumerate(pictures):
            try:
                refuse_damage(picture, damage)
                use(picture)
            except UserError as error:
                broken[row] = str(error)
    return broken


def refuse_damage(picture: Picture, damage: JpegDamage) -> None:
    """Raise `UserError` where the picture's file cannot be read, or a stretch inside it is damaged.

    Both libjpeg and FFmpeg are asked, here and not in every epoch: of 20 baseline JPEGs with 20 bytes removed libjpeg
    complains of 19, FFmpeg of 7.
    """
    if isinstance(picture.source, np.ndarray):
        return
    refuse_special_files(picture.source)  # a pipe that is named like a picture would be waited for
    try:
        encoded = picture.source.read_bytes()
    except OSError as error:
        raise UserError(f"cannot open {picture.source}: {error.strerror}.") from error
    if words := damage.find(encoded):
        raise UserError(f"{picture.source} is damaged, and would be trained on: {words}")
    if encoded.startswith(START):
        refuse_damaged_jpeg(encoded, picture.source)


def broken_pictures(pictures: Sequence[Picture], cache: PictureCache | None) -> dict[int, str]:
    """What is wrong with those that cannot be decoded, by row, as found now or at an earlier start."""
    note = cache.folder / "checked" / f"{state_digest(pictures)}.json" if cache and cache.folder else None
    known = _noted(note) if note else None
    rows = range(len(pictures)) if known is None else sorted(known)
    found = _check([pictures[row] for row in rows], cache)
    broken = {rows[number]: what for number, what in found.items()}
    if note and broken != known:
        keep(note, json.dumps(broken).encode())
    return broken


def _noted(note: Path) -> dict[int, str] | None:
    """What an earlier start found; None where there was none."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # none, cut off, or another's
        return {int(row): str(what) for row, what in json.loads(note.read_text(encoding="utf-8")).items()}
    return None


def _check(pictures: Sequence[Picture], cache: PictureCache | None) -> dict[int, str]:
    """What is wrong, by place in `pictures`; of many in all processes."""
    chunks = (pictures[start : start + CHUNK] for start in range(0, len(pictures), CHUNK))
    check = partial(broken_rows, use=cache.shrunk if cache else decode)
    if len(pictures) <= ALONE:
        found = list(map(check, chunks))
    else:  # spawn: threads of torch may be running, and a fork would copy their locks
        waiting = iter(lambda: list(itertools.islice(chunks, WAITING)), [])
        found = []
        try:
            spawn = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(usable_cores(), mp_context=spawn, initializer=ignore_stop_signals) as pool:
                for some in waiting:
                    with signals_blocked():  # work that is handed in may start a process
                        checked = pool.map(check, some)
                    found += checked
        except BrokenProcessPool as error:
            raise UserError(
                "a process that checks pictures has ended; was the memory full? end other programs, or start again.",
                exit_code=FAILED,
            ) from error
    return {number * CHUNK + row: what for number, rows in enumerate(found) for row, what in rows.items()}


def state_digest(pictures: Sequence[Picture]) -> str:
    """32 hexadecimal digits that stand for the files' paths, sizes and times of change, and for the boxes."""
    content = hashlib.blake2b(digest_size=16)
    for picture in pictures:
        state = None
        if not isinstance(picture.source, np.ndarray):
            with contextlib.suppress(OSError):  # missing: which the check tells
                state = picture.source.stat()
            content.update(os.fsencode(picture.source))
        content.update(repr((picture.box_xyxy, state and (state.st_size, state.st_mtime_ns))).encode())
    return content.hexdigest()
