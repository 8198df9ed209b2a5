"""What an archive will take: lengths as films say them, faces by a sample."""

from __future__ import annotations

import re

from helpers.archives import ColourAnalysis, scene, write_picture, write_scenes

from pipeline.archive.estimate import estimate
from pipeline.archive.sources import list_sources


def test_lengths_faces_and_hours(tmp_path):
    write_scenes(tmp_path / "a.mp4", 60)
    write_scenes(tmp_path / "b.mp4", 30)
    for i in range(3):
        write_picture(tmp_path / f"{i}.png", scene(0))
    (tmp_path / "bad.png").write_bytes(b"")
    sources = list_sources([str(tmp_path)])[0]
    length, faces, one = estimate(sources, ColourAnalysis(), jobs=1)
    assert length == "2 films of 9 s, 90 frames; 4 pictures"
    assert faces == "3.0 faces a frame, by a sample of 5"
    assert re.fullmatch(r"about 0\.\d\d core hours, \d+ s on 1 processes", one)


def test_no_frame_that_can_be_read(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"")
    *_, last = estimate(list_sources([str(tmp_path)])[0], ColourAnalysis(), jobs=1)
    assert last == "no frame of a sample could be read"
