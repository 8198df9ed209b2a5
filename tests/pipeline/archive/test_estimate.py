"""What an archive will take: lengths as films say them, faces by a sample."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

from helpers.archives import ColourAnalysis, plain, scene, write_picture, write_scenes

from pipeline.archive import estimate as module
from pipeline.archive.estimate import estimate
from pipeline.archive.sources import Source, list_sources


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


def test_a_few_films_among_many_pictures_are_in_the_sample_and_weigh_by_their_frames(tmp_path, monkeypatch):
    """Each frame takes two seconds on that clock: 2 x 90 of a film of three faces, 2 x 30 of pictures of none."""
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=itertools.count().__next__))
    monkeypatch.setattr(module, "LATEST", 2)
    monkeypatch.setattr(module, "SAMPLE", 1)
    write_scenes(tmp_path / "z.mp4", 90)
    for i in range(30):
        write_picture(tmp_path / f"{i}.png", plain((90, 90, 90)))
    _, faces, needed = estimate(list_sources([str(tmp_path)])[0], ColourAnalysis(), jobs=1)
    assert faces == "2.2 faces a frame, by a sample of 2"  # 3 x 90 / 120
    assert needed == "about 0.07 core hours, 4 min 00 s on 1 process"


def test_films_at_an_address_are_not_copied(tmp_path, monkeypatch):
    for name in "ab":
        write_scenes(tmp_path / f"{name}.mp4", 60)
    here = list(estimate(list_sources([str(tmp_path)])[0], ColourAnalysis(), jobs=1))
    monkeypatch.setattr(module, "local_copy", None)
    there = list(estimate([Source(f"file://{tmp_path}/{n}.mp4", n, False) for n in "ab"], ColourAnalysis(), jobs=1))
    assert there[:2] == here[:2] == ["2 films of 12 s, 120 frames; 0 pictures", "3.0 faces a frame, by a sample of 2"]


def test_one_process_is_one(tmp_path):
    write_picture(tmp_path / "a.png", scene(0))
    *_, needed = estimate(list_sources([str(tmp_path)])[0], ColourAnalysis(), jobs=1)
    assert needed.endswith(" on 1 process")


def test_no_frame_that_can_be_read(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"")
    first, last = estimate(list_sources([str(tmp_path)])[0], ColourAnalysis(), jobs=1)
    assert first == "0 films of 0 s, 0 frames; 1 picture"
    assert last == "no frame of a sample could be read"
