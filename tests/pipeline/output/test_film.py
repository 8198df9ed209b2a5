"""Recordings, read back with PyAV: true times, true colours, sound in its place, complete or named as partial."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import pytest
from helpers.films import PATCHES, patch_colours, patches, write_film
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

from data.sources.film import open_film
from pipeline.output import film as module
from pipeline.output.encoders import CONTAINERS
from pipeline.output.film import VideoWriter
from support import UserError


def _grey(level, size_hw=(48, 64)):
    return np.full((*size_hw, 3), level, np.uint8)


def _frames(path) -> Iterator[tuple[float, np.ndarray]]:
    """Each frame's time and picture (H, W, 3) uint8 RGB."""
    with open(path, "rb") as file, av.open(file) as film:
        for frame in film.decode(video=0):
            yield frame.time, frame.to_ndarray(format="rgb24")


def _times_and_levels(path) -> tuple[np.ndarray, np.ndarray]:
    times_s, images = zip(*_frames(path), strict=True)
    return np.array(times_s), np.array([image.mean() for image in images])


def _seconds(path) -> float:
    with av.open(str(path)) as film:
        return film.duration / av.time_base


@pytest.mark.parametrize(("suffix", "tolerance_s"), [(".mp4", 1e-5), (".webm", 6e-4), (".avi", 0.51 / 30)])
def test_frames_have_their_own_times(tmp_path, suffix, tolerance_s):
    """Uneven 8 frames a second: to 1/60000 s and 1 ms, and to half a frame where the rate is constant."""
    times_s = np.cumsum([0.0, *np.random.default_rng(0).uniform(0.05, 0.2, size=24)])
    with VideoWriter(tmp_path / f"a{suffix}", 30) as writer:
        for index, time_s in enumerate(times_s):
            writer.write(_grey(10 * index), 100 + time_s)
    read_s, levels = _times_and_levels(tmp_path / f"a{suffix}")
    assert np.abs(read_s - times_s).max() <= tolerance_s
    assert np.abs(levels - 10 * np.arange(25)).max() <= 5
    assert _seconds(tmp_path / f"a{suffix}") >= times_s[-1]


@pytest.mark.parametrize(
    ("times_s", "seconds"),
    [
        ([0.0, 1.5], 3.0),  # the last frame stays as long as the one before
        ([0.0, 10.0], 12.0),  # but two seconds at most
        ([0.0], 0.1),  # one alone as long as the rate says
        ([0.0, 0.0, 0.0, 0.1], 0.2),  # times that stand still
    ],
)
def test_how_long_a_film_is(tmp_path, times_s, seconds):
    with VideoWriter(tmp_path / "a.mp4", 10) as writer:
        for time_s in times_s:
            writer.write(_grey(50), time_s)
    assert _seconds(tmp_path / "a.mp4") == pytest.approx(seconds, abs=0.01)
    read_s = np.array([time_s for time_s, _ in _frames(tmp_path / "a.mp4")])
    assert len(read_s) == len(times_s)
    assert (np.diff(read_s) > 0).all()


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("still", [False, True])
def test_slow_recordings_read_back_whole(tmp_path, suffix, still):
    path = tmp_path / f"a{suffix}"
    with VideoWriter(path) as writer:
        for index in range(12):
            writer.write(_grey(10 * index), index / 2, still=still)
    with open_film(path) as source:
        assert len(list(source)) >= 12
        assert source.take_skipped() == []


def test_an_avi_has_one_rate_at_which_frames_drop(tmp_path):
    with VideoWriter(tmp_path / "a.avi", 30000 / 1001) as writer:
        for index in range(200):
            writer.write(_grey(index), index / 100)
    read_s, levels = _times_and_levels(tmp_path / "a.avi")
    assert len(read_s) == pytest.approx(60, abs=1)
    assert np.abs(levels - 100 * read_s).max() <= 4  # what is shown was seen then, to a frame
    with av.open(str(tmp_path / "a.avi")) as film:
        assert film.streams.video[0].average_rate == Fraction(30000, 1001)


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_hours_between_two_frames_are_a_minute_and_no_frames(tmp_path, suffix):
    said: list[str] = []
    with VideoWriter(tmp_path / f"a{suffix}", 25, notify=said.append) as writer:
        for time_s in (0.0, 0.04, 100_000.0, 100_000.04):
            writer.write(_grey(100), time_s)
    read_s, _ = _times_and_levels(tmp_path / f"a{suffix}")
    assert np.allclose(read_s, [0, 0.04, 60.04, 60.08], atol=0.02)
    assert os.path.getsize(tmp_path / f"a{suffix}") < 50_000
    assert len(said) == 1
    assert "100000 s without a frame, at 0 s, are 60 s in it" in said[0]


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_colours_are_those_that_came(tmp_path, suffix):
    image_rgb = patches((64, 256))
    with VideoWriter(tmp_path / f"a{suffix}") as writer:
        writer.write(image_rgb, 0.0)
    _, read = next(_frames(tmp_path / f"a{suffix}"))
    assert np.abs(patch_colours(read) - PATCHES).max() <= 8
    assert np.array_equal(image_rgb, patches((64, 256)))


def test_an_mp4_is_what_browsers_and_phones_play(tmp_path):
    """H.264 in yuv420p, BT.709 tagged and meant: Y of the formula in ITU-R BT.709-6, items 3.2 and 3.4."""
    with VideoWriter(tmp_path / "a.mp4", 25) as writer:
        for index in range(50):
            writer.write(patches((49, 256))[:, :-1], index / 25)  # odd sides
    with av.open(str(tmp_path / "a.mp4")) as film:
        codec = film.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt, codec.width, codec.height) == ("h264", "yuv420p", 256, 50)
        assert (codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range) == (1, 1, 1, 1)
        assert film.streams.video[0].frames == 50  # one index, as of any complete file
        luma = next(film.decode(video=0)).to_ndarray(format="yuv420p")[:50].astype(float)
    expected = 16 + 219 * (np.array(PATCHES) @ [0.2126, 0.7152, 0.0722]) / 255
    assert np.abs(luma[24, 16::32] - expected).max() <= 3


def test_another_size_is_letterboxed_and_an_enormous_one_reduced(tmp_path):
    with VideoWriter(tmp_path / "a.avi", 10) as writer:
        writer.write(_grey(0), 0.0)
        writer.write(_grey(200, (120, 80)), 0.1)
    *_, (_, second) = _frames(tmp_path / "a.avi")
    assert second.shape == (48, 64, 3)
    bright = np.flatnonzero(second[24, :, 0] > 100)
    assert (bright[0], bright[-1]) == (16, 47)  # 32 of 64 columns, in the middle
    assert second[[0, -1], 32, 0].min() > 190
    for size_hw, expected in (((1, 1), (16, 16)), ((600, 16_000), (154, 4096)), ((3024, 4032), (2662, 3548))):
        assert module._video_size(*size_hw) == expected


def test_another_size_is_said_once_and_how_each_is_kept(tmp_path):
    said: list[str] = []
    with VideoWriter(tmp_path / "a.mp4", 10, notify=said.append) as writer:
        for index, size_hw in enumerate([(48, 64), (48, 64), (480, 640), (480, 320)]):
            writer.write(_grey(0, size_hw), 0.0, film=tmp_path / f"{index}.png", still=True)
    told = f"{tmp_path / 'a.mp4'} is 64x48, as its first frame; others are scaled to that."
    assert said == [f"{told} --save FOLDER/ keeps each size."]
    said.clear()
    with VideoWriter(tmp_path / "a.mp4", 10, notify=said.append) as writer:
        for index, size_hw in enumerate([(48, 64), (480, 640), (48, 64)]):  # of one film, which a folder scales, too
            writer.write(_grey(0, size_hw), index / 10)
    assert said == [told]


@pytest.mark.parametrize(
    ("size_hw", "sentence"),
    [
        ((48, 4098), " is 4096x48: frames of 4098x48 are reduced to what players take."),
        ((3024, 4032), " is 3548x2662: frames of 4032x3024 are reduced to what players take."),
        ((47, 4095), ""),
        ((1, 1), ""),
    ],
)
def test_reduced_frames_are_said(tmp_path, size_hw, sentence):
    said: list[str] = []
    with VideoWriter(tmp_path / "a.avi", 10, notify=said.append) as writer:
        for index in range(2):
            writer.write(_grey(0, size_hw), index / 10)
    assert said == ([f"{tmp_path / 'a.avi'}{sentence}"] if sentence else [])


def test_file_appears_only_when_complete_and_survives_ctrl_c(tmp_path):
    writer = VideoWriter(tmp_path / "new" / "a.mp4", 10)
    for index in range(5):
        writer.write(_grey(50), index / 10)
    assert os.listdir(tmp_path / "new") == ["a.partial.mp4"]
    with pytest.raises(KeyboardInterrupt), writer:
        raise KeyboardInterrupt
    assert len(_times_and_levels(tmp_path / "new" / "a.mp4")[0]) == 5
    with VideoWriter(tmp_path / "new" / "nothing written.mp4") as writer:
        writer.close()
    assert os.listdir(tmp_path / "new") == ["a.mp4"]


KILLED = """
import os, pathlib, signal, sys
import numpy as np
from pipeline.output.film import VideoWriter
writers = [VideoWriter(name, 25) for name in sys.argv[2:]]
for index in range(100):
    for writer in writers:
        film = pathlib.Path(sys.argv[1]) if "sound" in str(writer._path) else None
        writer.write(np.full((48, 64, 3), 2 * index, np.uint8), index / 25, film=film)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL there")
def test_after_a_kill_what_was_recorded_a_second_before_plays(tmp_path):
    """Also where the sound has ended long before: then the container would wait for more of it."""
    film = write_film(tmp_path / "film.mp4", [_grey(0)] * 25, sound_hz=440)
    names = [f"a{suffix}" for suffix in CONTAINERS] + ["sound.mp4", "sound.webm"]
    argv = [sys.executable, "-c", KILLED, str(film), *(str(tmp_path / name) for name in names)]
    subprocess.run(argv, cwd=ROOT, timeout=PATIENCE_S, check=False)
    for stem, suffix in map(os.path.splitext, names):
        assert not (tmp_path / f"{stem}{suffix}").exists()
        read_s, levels = _times_and_levels(tmp_path / f"{stem}.partial{suffix}")
        assert read_s[-1] >= 99 / 25 - 1, (stem, suffix)
        assert np.abs(levels - 50 * read_s).max() <= 5


def test_a_nearly_full_disk_ends_the_recording_and_keeps_it(tmp_path, monkeypatch):
    writer = VideoWriter(tmp_path / "a.mp4", 10)
    writer.write(_grey(50), 0.0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(UserError, match=r"a\.mp4 ends here: the disk is nearly full") as error, writer:
        writer.write(_grey(50), 0.1)
    assert error.value.exit_code == 1
    assert len(_times_and_levels(tmp_path / "a.mp4")[0]) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file's size")
@pytest.mark.parametrize("suffix", CONTAINERS)
def test_a_disk_that_fills_up_keeps_what_was_recorded(tmp_path, suffix):
    """The system refuses to make the file longer than 300 kB, as a full disk does: one sentence, and it plays."""
    import resource

    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        writer = VideoWriter(tmp_path / f"a{suffix}", 25)
        with pytest.raises(UserError, match=rf"a\{suffix} ends here: .*large") as error, writer:
            for index in range(1000):
                writer.write(np.roll(noise, index, axis=1), index / 25)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert error.value.exit_code == 1
    assert os.listdir(tmp_path) == [f"a{suffix}"]
    read = 0
    with open(tmp_path / f"a{suffix}", "rb") as file, av.open(file) as film:
        try:
            for _ in film.decode(video=0):
                read += 1
        except av.FFmpegError:  # the frame that the end of the disk cut through
            pass
    assert read >= 3


def test_another_program_that_writes_the_name_meanwhile_loses_nothing(tmp_path):
    said: list[str] = []
    with VideoWriter(tmp_path / "a.mp4", notify=said.append) as writer:
        writer.write(_grey(50), 0.0)
        (tmp_path / "a.mp4").write_text("of another program")
    assert (tmp_path / "a.mp4").read_text() == "of another program"
    assert len(_times_and_levels(tmp_path / "a-2.mp4")[0]) == 1
    assert "this recording is a-2.mp4" in said[0]


def test_what_cannot_be_recorded_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"ends in \.mp4, \.webm, \.avi, which 'a\.mov' does not"):
        VideoWriter(tmp_path / "a.mov")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*a\.mp4: ") as error:
        VideoWriter(tmp_path / "file" / "a.mp4").write(_grey(0), 0.0)
    assert error.value.exit_code == 1
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
def test_a_name_that_is_not_utf8_is_a_name(tmp_path):
    path = tmp_path / os.fsdecode(b"a\xff.mp4")
    with VideoWriter(path) as writer:
        writer.write(_grey(50), 0.0)
    assert len(list(_frames(path))) == 1


def test_a_webm_ends_with_its_last_frame_wherever_its_longest_gap_is(tmp_path):
    with VideoWriter(tmp_path / "a.webm", 10) as writer:
        for time_s in (0.0, 1.0, 2.6, 4.0, 4.1, 4.2):
            writer.write(_grey(50), time_s)
    assert _seconds(tmp_path / "a.webm") == pytest.approx(4.3, abs=0.01)
