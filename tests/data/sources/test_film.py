"""Films of many kinds, made here, compared with the pictures, colours and times that were written into them."""

import http.server
import os
import socket
import threading

import av
import numpy as np
import pytest
from helpers.films import PATCHES, FailingFile, interleaved, moving, patch_colours, patches, read_film, write_film
from PIL import Image

from data.sources import film as film_module
from data.sources.film import open_film, open_film_at
from support import FAILED, UserError

KINDS = [
    ("libx264", "mp4", "yuv420p"),
    ("libx264", "mkv", "yuv420p10le"),
    ("libx265", "mp4", "yuv420p10le"),
    ("libvpx-vp9", "webm", "yuv420p"),
    ("libsvtav1", "mp4", "yuv420p10le"),
    ("mpeg2video", "mpg", "yuv420p"),
    ("mpeg4", "avi", "yuv420p"),
    ("mjpeg", "avi", "yuvj420p"),
    ("prores", "mov", "yuv422p10le"),
]


@pytest.mark.parametrize(("codec", "suffix", "pixels"), KINDS, ids=lambda value: str(value))
def test_codecs_give_every_frame_in_rgb_with_its_time(tmp_path, codec, suffix, pixels):
    images = [np.roll(patches(), 16 * index, axis=1) for index in range(12)]
    path = write_film(tmp_path / f"clip.{suffix}", images, codec=codec, pixels=pixels)
    with open_film(path) as source:
        assert (source.live, source.stills, source.fps) == (False, False, 25.0)
        frames = list(source)
    assert source.take_skipped() == []
    assert [(frame.index, frame.name, frame.path, frame.still) for frame in frames] == [
        (index, f"clip.{suffix}", path, False) for index in range(12)
    ]
    assert np.allclose([frame.time_s for frame in frames], np.arange(12) / 25, atol=1e-3)
    for frame, image in zip(frames, images, strict=True):
        assert frame.image_rgb.shape == image.shape
        assert frame.image_rgb.dtype == np.uint8
        assert np.abs(patch_colours(frame.image_rgb) - patch_colours(image)).max() <= 14


def test_count_is_what_the_file_promises(tmp_path):
    for suffix, promised in (("mp4", 9), ("mkv", None)):  # which tells its length and rate
        with open_film(write_film(tmp_path / f"a.{suffix}", moving(9))) as source:
            assert (source.count, source.promised) == (9, promised)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_varying_rate_keeps_its_own_times(tmp_path, suffix):
    times_s = [0.0, 0.1, 0.6, 0.7, 1.7, 1.75]
    frames, skipped = read_film(write_film(tmp_path / f"a.{suffix}", moving(6), times_s=times_s, sound_hz=440))
    assert np.allclose([frame.time_s for frame in frames], times_s, atol=1e-3)
    assert skipped == []


def test_gif_keeps_its_own_times(tmp_path):
    images = [Image.fromarray(np.roll(patches(), index)) for index in range(0, 18, 3)]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=[100, 500, 100, 1000, 50, 50])
    frames, _ = read_film(tmp_path / "a.gif")
    assert np.allclose([frame.time_s for frame in frames], [0.0, 0.1, 0.6, 0.7, 1.7, 1.75])


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_disk_that_fails_is_no_end_of_the_film(tmp_path, monkeypatch, suffix):
    path = write_film(tmp_path / f"a.{suffix}", moving(300), options={"g": "25", "crf": "1"})
    size = path.stat().st_size
    monkeypatch.setattr(film_module, "open_file", lambda path: FailingFile(path, size * 2 // 3))
    frames = []
    with (
        open_film(path) as source,
        pytest.raises(UserError, match=r"a\.\w+ cannot be read any further: Input/output error\.") as error,
    ):
        frames.extend(source)
    assert error.value.exit_code == FAILED
    assert 20 < len(frames) < 290
    assert source.take_skipped() == []


def test_an_empty_file_is_said_to_be_empty(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(UserError, match=r"a\.mp4 is empty: a file of 0 bytes"):
        open_film(tmp_path / "a.mp4")


def test_a_pause_in_a_regular_film_is_said_and_times_stay(tmp_path):
    times_s = [*np.arange(30) / 25, *(50_000 + np.arange(5) / 25)]
    frames, (pause,) = read_film(write_film(tmp_path / "a.mkv", moving(35), times_s=times_s))
    assert np.allclose([frame.time_s for frame in frames], times_s, atol=1e-3)
    assert [frame.index for frame in frames] == list(range(35))
    assert pause.index == 30
    assert "no frame for" in pause.reason
    assert pause.pause


@pytest.mark.long
def test_no_flipped_bit_crashes_the_reader(tmp_path):
    """Among them those of the box `dref`, at which OpenCV's reader fell over."""
    path = write_film(tmp_path / "a.mp4", moving(4, (32, 32)))
    content = path.read_bytes()
    boxes = range(content.index(b"moov") - 4, len(content))
    assert content.index(b"dref") in boxes
    for at in boxes[::3]:
        flipped = bytearray(content)
        flipped[at] ^= 1 << (at % 8)
        path.write_bytes(flipped)
        try:
            frames, _ = read_film(path)
            assert 1 <= len(frames) <= 4
        except UserError:
            pass


@pytest.mark.parametrize("name", ["clip ä ж 顔.avi", os.fsdecode(b"clip-\xff.avi")])
def test_film_with_any_name(tmp_path, name):
    write_film(tmp_path / "plain.avi", moving(9), codec="mpeg4")
    try:
        (tmp_path / "plain.avi").rename(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes no such name")
    with open_film(tmp_path / name) as source:
        frames = list(source)
        assert len(frames) == 9
        (source.description + frames[0].name).encode()


def test_a_name_with_a_zero_byte_is_one_sentence():
    with pytest.raises(UserError, match=r"cannot open a\\x00b"):
        open_film("a\0b")


def test_not_a_video_is_one_sentence(tmp_path, capfd):
    (tmp_path / "clip.mp4").write_bytes(b"no video " * 500)
    with pytest.raises(UserError, match=r"clip\.mp4 is not a video") as error:
        open_film(tmp_path / "clip.mp4")
    assert error.value.exit_code == 2
    with pytest.raises(UserError, match=r"cannot open .*No such file"):
        open_film(tmp_path / "other.mp4")
    assert capfd.readouterr().err == ""


def test_of_several_films_in_a_file_the_first_is_read_and_that_is_said(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as film:
        streams = [film.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        for stream, image in zip(streams, (patches(), 255 - patches()), strict=True):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            film.mux(stream.encode(None))
    with open_film(tmp_path / "a.mkv") as source:
        assert "holds 2 films; the first is read" in source.take_notes()[0]
        (frame,) = source
    assert np.abs(patch_colours(frame.image_rgb) - PATCHES).max() <= 14


def test_sound_without_a_film_is_one_sentence(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as film:
        tone = film.add_stream("aac", rate=48_000, layout="mono")
        for start in range(0, 10_240, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            film.mux(tone.encode(frame))
        film.mux(tone.encode(None))
    with pytest.raises(UserError, match="holds no film"):
        open_film(tmp_path / "a.mp4")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes there")
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(UserError, match="named pipe"):
        open_film(tmp_path / "pipe.mp4")
    with pytest.raises(UserError, match="device"):
        open_film("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(str(tmp_path / "s.mp4"))
        except OSError:
            pytest.skip("the temporary folder's name is too long for a socket")
        with pytest.raises(UserError, match="socket"):
            open_film(tmp_path / "s.mp4")
    with pytest.raises(UserError, match="is a folder"):
        open_film(tmp_path)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted there")
def test_no_thread_and_no_file_stays_when_the_consumer_stops(tmp_path):
    path = write_film(tmp_path / "a.mp4", interleaved(moving(20)), interlaced=True)

    def open_things():
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    before = open_things()
    source = open_film(path)
    for _ in source:
        assert open_things() > before
        break
    assert source.ended
    assert open_things() == before


def test_a_film_at_an_address_is_read_with_an_end(tmp_path):
    write_film(tmp_path / "clip.mp4", moving(8))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with open_film_at(f"{address}/clip.mp4", name="http://host/clip.mp4") as source:
            frames = list(source)
        with pytest.raises(UserError, match=r"http://host/none\.mp4 is not a video"):
            open_film_at(f"{address}/none.mp4", name="http://host/none.mp4")
        server.shutdown()
    assert [(frame.index, frame.name, frame.path) for frame in frames] == [
        (index, "http://host/clip.mp4", None) for index in range(8)
    ]


def test_a_film_without_one_whole_frame_is_one_sentence(tmp_path):
    path = write_film(tmp_path / "a.avi", [patches()] * 3, codec="mpeg4")
    content = bytearray(path.read_bytes())
    start, end = content.index(b"movi") + 4, content.index(b"idx1")
    content[start + 40 : end] = bytes(end - start - 40)
    path.write_bytes(content)
    with open_film(path) as source, pytest.raises(UserError, match="holds no frame"):
        list(source)
    assert [gap.reason for gap in source.take_skipped()] == ["damaged"]


@pytest.mark.parametrize("name", ["a.m3u8", "a.mp4"])
def test_a_file_that_names_others_opens_none(tmp_path, name):
    """A playlist with an address, and a list of films under a film's name, as FFmpeg would follow them."""
    other = write_film(tmp_path / "other.mp4", [np.zeros((32, 32, 3), np.uint8)] * 3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/0.ts"
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n"
        content = playlist if name == "a.m3u8" else f"ffconcat version 1.0\nfile {other.name}\n"
        (tmp_path / name).write_text(content)
        with pytest.raises(UserError, match="not a video"), open_film(tmp_path / name) as source:
            list(source)
        with pytest.raises(BlockingIOError):
            server.accept()
