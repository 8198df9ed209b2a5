"""Films: frames, times and rates, compared with the colours and durations written."""

import os
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from data.sources.film import film_source, open_film
from support import UserError

COLOURS_RGB = [(200, 40, 10), (10, 200, 40), (40, 10, 200)]


def write_film(path, *, fps=25.0, frames=9):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), COLOURS_RGB[index % 3][::-1], np.uint8))
    writer.release()
    return path


def test_film_gives_rgb_media_time_and_rate(tmp_path):
    path = write_film(tmp_path / "clip.avi")
    with open_film(path) as source:
        assert (source.live, source.fps, source.count) == (False, 25.0, 9)
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(9))
    assert np.allclose([frame.time_s for frame in frames], np.arange(9) / 25, atol=1e-6)
    for frame in frames:
        assert frame.image_rgb.shape == (48, 64, 3)
        assert frame.image_rgb.dtype == np.uint8
        assert np.abs(frame.image_rgb.astype(int) - COLOURS_RGB[frame.index % 3]).max() <= 4


def test_film_with_a_varying_rate_keeps_its_own_times(tmp_path):
    images = [Image.new("RGB", (64, 48), colour) for colour in COLOURS_RGB * 2]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=[100, 500, 100, 1000, 50, 50])
    times = [frame.time_s for frame in open_film(tmp_path / "a.gif")]
    assert np.allclose(times, [0.0, 0.1, 0.6, 0.7, 1.7, 1.75])


@pytest.mark.parametrize("name", ["clip ä ж 顔.avi", os.fsdecode(b"clip-\xff.avi")])
def test_film_with_any_name(tmp_path, name):
    write_film(tmp_path / "plain.avi")
    try:
        (tmp_path / "plain.avi").rename(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes no such name")
    with open_film(tmp_path / name) as source:
        assert len(list(source)) == 9
        source.description.encode()


@pytest.mark.parametrize("rate", [0.0, float("nan"), -1.0])
def test_film_without_rate_and_times(rate):
    class Capture:
        left = 3

        def isOpened(self):
            return True

        def get(self, setting):
            return {cv2.CAP_PROP_FPS: rate, cv2.CAP_PROP_FRAME_COUNT: -1, cv2.CAP_PROP_POS_MSEC: 0.0}[setting]

        def read(self):
            self.left -= 1
            return self.left >= 0, np.zeros((4, 4, 3), np.uint8)

        def release(self):
            pass

    capture: Any = Capture()
    source = film_source(capture, name="odd")
    assert source.fps is None
    assert source.count is None
    assert not source.stills
    assert np.allclose([frame.time_s for frame in source], [0, 1 / 30, 2 / 30])


@pytest.mark.parametrize("content", [b"", b"no video " * 500])
def test_not_a_video_is_one_sentence(tmp_path, content):
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(UserError, match=r"clip\.mp4 is not a video") as error:
        open_film(tmp_path / "clip.mp4")
    assert error.value.exit_code == 2
    with pytest.raises(UserError, match=r"cannot open .*No such file"):
        open_film(tmp_path / "other.mp4")


def test_film_file_is_closed_when_the_consumer_stops(tmp_path):
    released = []
    capture = cv2.VideoCapture(str(write_film(tmp_path / "clip.avi")))
    for _ in film_source(capture, name="clip", release=lambda: released.append(True)):
        break
    assert released == [True]
    assert not capture.isOpened()
