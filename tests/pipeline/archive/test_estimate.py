"""What an archive will take: lengths as films say them, faces by a sample."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

from helpers.archives import ColourAnalysis, scene, write_picture, write_scenes

from pipeline.archive import estimate as module
from pipeline.archive.estimate import estimate
from pipeline.archive.sources import list_sources


def test_lengths_faces_and_hours(tmp_path, monkeypatch):
    """By a clock on which each frame takes a second to be read and one in the networks: 2 x 90 + 2 x 4 seconds."""
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=itertools.count().__next__))
    monkeypatch.setattr(module, "LATEST", 2)  # the second frame of each film
    write_scenes(tmp_path / "a.mp4", 60)
    write_scenes(tmp_path / "b.mp4", 30)
    for i in range(3):
        write_picture(tmp_path / f"{i}.png", scene(0))
    (tmp_path / "bad.png").write_bytes(b"")
    sources = list_sources([str(tmp_path)])[0]
    length, faces, needed = estimate(sources, ColourAnalysis(), jobs=2)
    assert length == "2 films of 9 s, 90 frames; 4 pictures"
    assert faces == "3.0 faces a frame, by a sample of 5"
    assert needed == "about 0.05 core hours, 1 min 34 s on 2 processes"


def test_one_process_is_one(tmp_path):
    write_picture(tmp_path / "a.png", scene(0))
    *_, needed = estimate(list_sources([str(tmp_path)])[0], ColourAnalysis(), jobs=1)
    assert needed.endswith(" on 1 process")


def test_no_frame_that_can_be_read(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"")
    first, last = estimate(list_sources([str(tmp_path)])[0], ColourAnalysis(), jobs=1)
    assert first == "0 films of 0 s, 0 frames; 1 picture"
    assert last == "no frame of a sample could be read"
