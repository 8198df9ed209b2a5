"""Stretches of a film: the same frames as the whole film's, whatever the codec; what cannot be cut is not."""

from __future__ import annotations

import bisect
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.archives import scene, write_scenes
from helpers.films import damaged, read_film, write_film

from data.sources.frame import Frame
from pipeline.archive import stretches as module
from pipeline.archive.stretches import OVERLAP_FRAMES, OVERLAP_S, NotCuttable, stretch_frames, stretches_of

FPS = 5.0
CODECS = [
    ("libx264", {"g": "12", "bf": "3"}, "mp4"),
    ("libx264", {"g": "30", "bf": "2", "x264-params": "open-gop=1"}, "mkv"),
    ("libx265", {"x265-params": "log-level=none:keyint=15:open-gop=1"}, "mp4"),
    ("libvpx-vp9", {"g": "20", "deadline": "realtime", "cpu-used": "8"}, "webm"),
    ("mpeg4", {"g": "12"}, "avi"),
    ("mjpeg", {}, "avi"),
]


def frames_of(path, stretches):
    """The frames that are each stretch's own, joined."""
    joined = []
    for stretch in stretches:
        given = [one for one in stretch_frames(str(path), "film", stretch) if isinstance(one, Frame)]
        assert given[0].index == stretch.start
        joined += [frame for frame in given if frame.index >= stretch.first]
    return joined


@pytest.mark.parametrize(
    ("codec", "options", "suffix"), CODECS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_stretches_hold_the_frames_of_the_whole_film(tmp_path, codec, options, suffix):
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    images = [scene(i, fps=FPS) for i in range(400)]
    path = write_film(tmp_path / f"film.{suffix}", images, codec=codec, pixels=pixels, rate=FPS, options=options)
    whole, skipped = read_film(path)
    assert not skipped
    stretches = stretches_of(str(path), stretch_s=25)
    if codec == "mpeg4" and not stretches:
        pytest.skip("its packets have no times: read in one go")
    assert len(stretches) == 3
    assert [stretch.first for stretch in stretches] == [0, 125, 250]
    joined = frames_of(path, stretches)
    assert [frame.index for frame in joined] == [frame.index for frame in whole]
    assert [frame.time_s for frame in joined] == [frame.time_s for frame in whole]
    assert all(np.array_equal(a.image_rgb, b.image_rgb) for a, b in zip(joined, whole, strict=True))


@pytest.mark.thorough
def test_the_overlap_is_long_enough_for_what_is_analysed(tmp_path):
    path = write_scenes(tmp_path / "film.mp4", 750, fps=FPS)
    for step in (1, 5):
        stretches = stretches_of(str(path), stretch_s=30, step=step)
        overlap_s = max(OVERLAP_S, OVERLAP_FRAMES * step / FPS)
        assert len(stretches) == (5 if step == 1 else 2)
        assert all(s.first - s.start == overlap_s * FPS for s in stretches[1:])
        assert all(s.key <= s.start and s.key % 20 == 0 for s in stretches)


@pytest.mark.thorough
def test_times_that_vary_are_kept(tmp_path):
    times_s = np.cumsum(np.random.default_rng(0).uniform(0.05, 0.3, 600)).round(3)
    images = [scene(i) for i in range(600)]
    path = write_film(tmp_path / "film.mkv", images, rate=10, times_s=times_s.tolist(), options={"g": "12"})
    stretches = stretches_of(str(path), stretch_s=25)
    assert len(stretches) > 2
    whole, _ = read_film(path)
    assert [f.time_s for f in frames_of(path, stretches)] == [f.time_s for f in whole]


def test_a_jump_of_the_clock_is_not_stepped_through(tmp_path, monkeypatch):
    looked_up = []

    def bisect_left(stamps, time_s):
        looked_up.append(time_s)
        return bisect.bisect_left(stamps, time_s)

    monkeypatch.setattr(module, "bisect", SimpleNamespace(bisect_left=bisect_left, bisect_right=bisect.bisect_right))
    times_s = np.arange(600) / 5
    times_s[200:] += 25e4
    images = [scene(i, fps=FPS) for i in range(600)]
    path = write_film(tmp_path / "film.mkv", images, rate=FPS, times_s=times_s.tolist(), options={"g": "12"})
    stretches = stretches_of(str(path), stretch_s=25)
    assert [stretch.first for stretch in stretches] == [0, 125, 250, 375, 500]
    assert len(looked_up) < 20
    assert [frame.index for frame in frames_of(path, stretches)] == list(range(600))


def test_short_films_and_what_is_no_film_are_not_cut(tmp_path):
    assert stretches_of(str(write_scenes(tmp_path / "short.mp4", 250)), stretch_s=25) == []
    (tmp_path / "none.mp4").write_bytes(b"nothing")
    assert stretches_of(str(tmp_path / "none.mp4"), stretch_s=25) == []
    assert stretches_of(str(tmp_path / "missing.mp4"), stretch_s=25) == []


def test_no_more_than_a_stretch_is_decoded_in_vain(tmp_path):
    images = [scene(i) for i in range(800)]
    path = write_film(tmp_path / "film.mp4", images, rate=10, options={"g": "1000", "preset": "ultrafast"})
    stretches = stretches_of(str(path), stretch_s=25)
    assert [(stretch.key, stretch.first) for stretch in stretches] == [(0, 0), (0, 250)]
    assert [frame.index for frame in frames_of(path, stretches)] == list(range(800))
    signs = []
    given = list(stretch_frames(str(path), "film.mp4", stretches[1], alive=lambda: signs.append(len(signs))))
    assert len(signs) == 800 > len(given)


def test_damage_is_noticed_and_a_promise_that_is_not_kept(tmp_path):
    path = write_scenes(tmp_path / "film.mp4", 600)
    damaged(path, 0.5)
    stretches = stretches_of(str(path), stretch_s=25)
    with pytest.raises(NotCuttable):
        frames_of(path, stretches)
    whole = write_scenes(tmp_path / "whole.mkv", 600)
    (stretches, content) = stretches_of(str(whole), stretch_s=25), whole.read_bytes()
    whole.write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(NotCuttable):
        frames_of(whole, stretches)


def test_a_stretch_knows_its_key_frame_by_time(tmp_path):
    path = write_scenes(tmp_path / "film.mp4", 600)
    stretch = stretches_of(str(path), stretch_s=25)[1]
    assert (stretch.key_time - stretch.film_time) == Fraction(stretch.key, 10)
    (wrong,) = [type(stretch)(**{**stretch.__dict__, "key_time": stretch.key_time + Fraction(1, 100)})]
    with pytest.raises(NotCuttable):
        list(stretch_frames(str(path), "film", wrong))
