"""Crowds: the shipped detector finds everybody, the film loops, the camera keeps its own time."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from evaluation.speed.synthetic_video import FilmCamera, crowd_film, film_source, grid_places, size_of
from retinaface.detector import RetinaFace
from support import UserError


@pytest.fixture(scope="module")
def detector() -> RetinaFace:
    return RetinaFace.from_file()


@pytest.mark.parametrize(("faces", "size_hw"), [(1, (480, 640)), (5, (480, 640)), (20, (480, 640)), (20, (720, 1280))])
def test_exactly_so_many_are_found(detector, faces, size_hw):
    film = crowd_film(faces, size_hw, frames=4)
    assert [frame.shape for frame in film] == [(*size_hw, 3)] * 4
    for found in detector(film):
        assert len(found) == faces
        assert min(face.size for face in found) >= 55


def test_the_same_film_every_time_and_everybody_moves():
    first, again = crowd_film(5, (240, 320)), crowd_film(5, (240, 320))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for before, after in itertools.pairwise([*first, first[0]]):  # across the loop's seam too
        assert 0 < np.abs(before.astype(int) - after).mean() < 12


@pytest.mark.parametrize("faces", [0, 1, 2, 5, 7, 20])
@pytest.mark.parametrize("size_hw", [(480, 640), (640, 480), (1080, 1920)])
def test_pictures_lie_inside_and_apart(faces, size_hw):
    places, side = grid_places(faces, size_hw)
    assert places.shape == (faces, 2)
    assert ((places >= side / 2) & (places <= np.array(size_hw[::-1]) - side / 2)).all()
    for a, b in itertools.combinations(places, 2):
        assert np.abs(a - b).max() > side


def test_the_film_as_a_source_never_ends_and_gives_new_arrays():
    film = crowd_film(1, (60, 80), frames=2)
    with film_source(film) as source:
        frames = [source.read() for _ in range(5)]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert np.array_equal(frames[4].image_rgb, film[0])
    frames[4].image_rgb[:] = 0
    assert film[0].any()


def test_the_camera_waits_for_nobody():
    film = [np.full((4, 6, 3), (value, 0, 0), np.uint8) for value in range(100)]
    camera = FilmCamera(film, fps=50)
    first = camera.read()[1]
    started = camera.first_s
    time.sleep(0.1)  # five pictures pass
    then = camera.read()[1]
    passed_s = time.monotonic() - started
    assert first[..., :2].max() == 0  # blue and green: the film's red stands last
    assert int(then[0, 0, 2]) - int(first[0, 0, 2]) == pytest.approx(50 * passed_s, abs=1)
    assert int(then[0, 0, 2]) - int(first[0, 0, 2]) >= 5


def test_sizes_are_width_by_height():
    assert size_of("640x480") == (480, 640)
    for text in ("640", "640x", "x480", "0x480", "640 x 480", "axb"):
        with pytest.raises(UserError, match="--sizes takes"):
            size_of(text)
