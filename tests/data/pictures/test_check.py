"""The check of all pictures: what is broken by row, found once, remembered by the state of the files."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.tiny_sets import write_picture

from data.pictures import check
from data.pictures.cache import Picture, PictureCache
from data.pictures.check import broken_pictures, state_digest
from support import UserError


def die(pictures, *, use) -> None:
    """As a process does that the system kills."""
    os._exit(9)


@pytest.fixture
def pictures(tmp_path, portrait) -> list[Picture]:
    """Six: number 1 is missing, 3 is damaged, 5 is text."""
    jpeg = cv2.imencode(".jpg", portrait[:200, :200])[1].tobytes()
    found = [Picture(tmp_path / f"{number}.jpg") for number in range(6)]
    for picture in found:
        picture.source.write_bytes(jpeg)
    found[1].source.unlink()
    found[3].source.write_bytes(jpeg[:5000] + jpeg[5300:])
    found[5].source.write_text("no picture")
    return found


def test_broken_ones_by_row(pictures, tmp_path):
    broken = broken_pictures(pictures, None)
    assert list(broken) == [1, 3, 5]
    assert "cannot open" in broken[1]
    assert "3.jpg is damaged, and would be trained on: Corrupt JPEG data" in broken[3]
    assert "5.jpg is not a picture" in broken[5]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders here")
def test_a_pipe_that_is_named_like_a_picture_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    writer = os.open(tmp_path / "pipe.png", os.O_RDWR)
    closing = threading.Timer(5, os.close, [writer])  # ends the wait of who reads it in spite of all
    closing.start()
    broken = broken_pictures([Picture(tmp_path / "pipe.png")], None)
    closing.cancel()
    os.close(writer)
    assert "pipe.png is a named pipe; wanted is a file" in broken[0]


def test_in_several_processes_it_is_the_same_and_the_cache_is_full(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(check, "ALONE", 2)
    monkeypatch.setattr(check, "CHUNK", 4)
    monkeypatch.setattr(check, "usable_cores", lambda: 1)
    kept = PictureCache(60, tmp_path / "cache")
    assert broken_pictures(pictures, kept) == broken_pictures(pictures, None)
    assert (
        len([path for path in kept.folder.rglob("*") if path.is_file() and path.suffix != ".json"]) == 1
    )  # one content


def test_a_process_that_ends_is_told(pictures, monkeypatch):
    monkeypatch.setattr(check, "ALONE", 2)
    monkeypatch.setattr(check, "usable_cores", lambda: 1)
    monkeypatch.setattr(check, "broken_rows", die)
    with pytest.raises(UserError, match="a process that checks pictures has ended; was the memory full"):
        broken_pictures(pictures, None)


def test_it_is_not_decoded_again_until_a_file_changes(pictures, tmp_path, monkeypatch):
    kept = PictureCache(60, tmp_path / "cache")
    first = broken_pictures(pictures, kept)
    seen: list[int] = []
    whole = check.broken_rows
    monkeypatch.setattr(check, "broken_rows", lambda chunk, use: seen.append(len(chunk)) or whole(chunk, use))
    assert broken_pictures(pictures, kept) == first
    assert seen == [3]  # the broken ones
    write_picture(pictures[5].source, np.zeros((4, 4, 3), np.uint8))
    assert list(broken_pictures(pictures, kept)) == [1, 3]
    assert seen == [3, 6]


def test_what_could_not_be_opened_for_want_of_a_right_is_whole_once_it_is_given(pictures, tmp_path, monkeypatch):
    kept, read_bytes = PictureCache(60, tmp_path / "cache"), Path.read_bytes

    def refuse(path):
        if path == pictures[0].source:
            raise PermissionError(errno.EACCES, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "Permission denied" in broken_pictures(pictures, kept)[0]
    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert list(broken_pictures(pictures, kept)) == [1, 3, 5]
    (note,) = (kept.folder / "checked").iterdir()
    assert list(json.loads(note.read_text())) == ["1", "3", "5"]


def test_a_note_that_was_cut_off_is_written_anew(pictures, tmp_path):
    kept = PictureCache(60, tmp_path / "cache")
    first = broken_pictures(pictures, kept)
    (note,) = (kept.folder / "checked").iterdir()
    note.write_text(note.read_text()[:20])
    assert broken_pictures(pictures, kept) == first


def test_the_state_is_of_paths_times_and_boxes(pictures):
    digest = state_digest(pictures)
    assert digest == state_digest(pictures)
    os.utime(pictures[0].source, ns=(1, 1))
    changed = state_digest(pictures)
    assert (
        len({digest, changed, state_digest(pictures[::-1]), state_digest([Picture(pictures[0].source, (0, 0, 1, 1))])})
        == 4
    )
