"""Synthetic videos: the shipped detector detects every face, the video loops, the camera keeps its own time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from evaluation.speed.synthetic_video import SyntheticCamera, grid_centres, parse_size, synthetic_video, video_source
from retinaface.detector import RetinaFace
from support import UserError


@pytest.fixture(scope="module")
def detector() -> RetinaFace:
    return RetinaFace.from_file()


@pytest.mark.parametrize(("faces", "size_hw"), [(1, (480, 640)), (5, (480, 640)), (20, (480, 640)), (20, (720, 1280))])
def test_exactly_so_many_faces_are_detected(detector, faces, size_hw):
    video = synthetic_video(faces, size_hw, frames=4)
    assert [frame.shape for frame in video] == [(*size_hw, 3)] * 4
    for found in detector(video):
        assert len(found) == faces
        assert min(face.size for face in found) >= 55


def test_the_same_video_every_time_and_every_face_moves():
    first, again = synthetic_video(5, (240, 320)), synthetic_video(5, (240, 320))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for before, after in itertools.pairwise([*first, first[0]]):  # across the loop's seam too
        assert 0 < np.abs(before.astype(int) - after).mean() < 12


@pytest.mark.parametrize("faces", [0, 1, 2, 5, 7, 20])
@pytest.mark.parametrize("size_hw", [(480, 640), (640, 480), (1080, 1920)])
def test_pictures_lie_inside_and_apart(faces, size_hw):
    centres, side = grid_centres(faces, size_hw)
    assert centres.shape == (faces, 2)
    assert ((centres >= side / 2) & (centres <= np.array(size_hw[::-1]) - side / 2)).all()
    for a, b in itertools.combinations(centres, 2):
        assert np.abs(a - b).max() > side


@pytest.mark.parametrize("live", [True, False])
def test_the_video_as_a_source_never_ends_and_gives_new_arrays(live):
    video = synthetic_video(1, (60, 80), frames=2)
    with video_source(video, live=live) as source:
        frames = [source.read(timeout_s=0) for _ in range(5)]
    assert source.live == live
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert np.array_equal(frames[4].image_rgb, video[0])
    frames[4].image_rgb[:] = 0
    assert video[0].any()


def test_the_camera_gives_the_frame_of_the_moment():
    video = [np.full((4, 6, 3), (value, 0, 0), np.uint8) for value in range(100)]
    now_s = 7.0

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    camera = SyntheticCamera(video, fps=50, clock=lambda: now_s, sleep=sleep)
    first = camera.read()[1]
    assert camera.first_s == pytest.approx(7.02)
    sleep(0.11)  # five frames pass
    second = camera.read()[1]
    assert camera.first_s == pytest.approx(7.02)
    assert now_s == pytest.approx(7.14)
    assert first[..., :2].max() == 0  # blue and green: the video's red comes last
    assert (first[0, 0, 2], second[0, 0, 2]) == (1, 7)


def test_sizes_are_width_by_height():
    assert parse_size("640x480") == (480, 640)
    for text in ("640", "640x", "x480", "0x480", "640 x 480", "axb"):
        with pytest.raises(UserError, match="--sizes takes"):
            parse_size(text)
