"""Where a film ends: before it says it would, or with a frame that stays, or sound that goes on."""

from __future__ import annotations

import av
import numpy as np
import pytest
from helpers.films import moving, read_film, write_film

from data.sources.film import open_film


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_an_early_end_is_said_with_what_was_promised(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w", options={"movflags": "faststart"} if suffix == "mp4" else {}) as film:
        stream = film.add_stream("libx264", rate=25, options={"g": "25"})
        stream.width, stream.height = 128, 96
        for image in moving(300):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        film.mux(stream.encode(None))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 4 // 10])
    frames, skipped = read_film(path)
    assert 50 < len(frames) < 200
    last = skipped[-1]
    assert (
        last.reason
        == {
            "mp4": f"ended after {last.index} of 300 promised frames",
            "mkv": f"ended after {last.index / 25:.1f} of 12.0 s; missing frames are estimated",
        }[suffix]
    )
    assert len(frames) + sum(gap.frames for gap in skipped) == 300


def test_a_cut_film_of_varying_rate_claims_no_frames_that_it_never_had(tmp_path):
    times_s = np.cumsum([0.0, *np.random.default_rng(0).uniform(0.02, 0.18, size=199)])  # 10 a second, not 25
    path = write_film(tmp_path / "a.mkv", moving(200), rate=25, times_s=times_s)
    with open_film(path) as source:
        assert source.promised is None
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, (last,) = read_film(path)
    assert last.index == len(frames) < 180
    assert last.reason.startswith(f"ended after {frames[-1].time_s:.0f}.")
    assert f" of {times_s[-1]:.0f}." in last.reason
    assert last.index + last.frames == pytest.approx(200, rel=0.15)


def test_a_whole_film_that_does_not_begin_at_0_has_not_ended_early(tmp_path):
    frames, skipped = read_film(write_film(tmp_path / "a.mkv", moving(90), rate=30, times_s=20 + np.arange(90) / 30))
    assert len(frames) == 90
    assert skipped == []


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_sound_that_outlasts_the_pictures_is_no_damage(tmp_path, suffix):
    path = write_film(tmp_path / f"a.{suffix}", moving(25), sound_hz=440, sound_s=3.0)
    with open_film(path) as source:
        assert source.count == 25
        assert len(list(source)) == 25
        assert source.take_skipped() == []


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_last_frame_that_stays_long_is_no_damage_and_says_how_long(tmp_path, suffix):
    """Of slides, the last one explained for 18 seconds."""
    path = write_film(
        tmp_path / f"a.{suffix}", moving(3), times_s=[0, 1, 2], options={"tune": "zerolatency"}, last_s=18,
        sound_hz=440, sound_s=20,
    )  # fmt: skip
    frames, skipped = read_film(path)
    assert skipped == []
    assert [frame.time_s for frame in frames] == pytest.approx([0, 1, 2])
    assert frames[-1].stay_s == pytest.approx(18)
