"""Cuts in composed films: found where another scene begins, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from data.sources import sample
from pipeline.scene import PATIENCE, SceneCut, correlation, share_found, small_grey

HEIGHT, WIDTH = 240, 320


def wall(seed: int) -> np.ndarray:
    """(480, 960, 3) uint8: shapes of all sizes, like a room behind people."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((480, 960, 3))
    for cells in (4, 10, 30, 80):
        layer = rng.uniform(-1, 1, (cells, 2 * cells, 3)).astype(np.float32)
        picture += cv2.resize(layer, (960, 480), interpolation=cv2.INTER_NEAREST) * 120 / cells**0.4
    return (110 + picture).clip(0, 255).astype(np.uint8)


ROOMS = [wall(1), wall(2)]


def view(room: int, *, left: float = 200, top: float = 100, zoom: float = 1.0) -> np.ndarray:
    matrix = np.array([[zoom, 0, -left * zoom], [0, zoom, -top * zoom]])
    return cv2.warpAffine(ROOMS[room], matrix, (WIDTH, HEIGHT))


def person(who: str, background: np.ndarray, *, x: float = 160, size: float = 110) -> np.ndarray:
    """The person's head and shoulders before a background; `size` of the face in pixels."""
    centre_xy, own_size = {"collins": ((224, 116), 106), "hopper": ((257, 190), 190)}[who]
    zoom = size / own_size
    matrix = np.array([[zoom, 0, x - zoom * centre_xy[0]], [0, zoom, 120 - zoom * centre_xy[1]]])
    picture = cv2.warpAffine(sample.portrait(who), matrix, (WIDTH, HEIGHT))
    half = np.array([0.9 * size, 1.1 * size])
    y, columns = np.mgrid[:HEIGHT, :WIDTH]
    shape = ((columns - x) / half[0]) ** 2 + ((y - 130) / half[1]) ** 2 < 1
    return np.where(shape[..., None], picture, background)


def lit(frame: np.ndarray, gain: float, offset: float = 0.0) -> np.ndarray:
    return (frame * gain + offset).clip(0, 255).astype(np.uint8)


def cuts_of(frames: list[np.ndarray]) -> list[int]:
    """Indices of the frames after a cut, with the noise of a poor camera."""
    rng, scene = np.random.default_rng(0), SceneCut()
    return [i for i, f in enumerate(frames) if scene.is_cut(lit(f, 1, rng.normal(0, 8, f.shape)))]


STILL = [person("collins", view(0))] * 4
WHITE, BLACK = np.full((HEIGHT, WIDTH, 3), 255, np.uint8), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
SIDE_LIGHT = np.linspace(0.3, 1.2, WIDTH)[None, :, None]

CUT = {
    "another person in another room": person("hopper", view(1)),
    "an empty room": view(1),
    "close": person("hopper", view(1), size=230),
}
NO_CUT = {
    "nothing happens": [],
    "a flash": [lit(STILL[0], 2.2, 40), STILL[0]],
    "a white flash": [WHITE, WHITE, STILL[0], STILL[0]],
    "a light switched on": [lit(STILL[0], 0.25), STILL[0]],
    "a lamp on the right": [lit(STILL[0], SIDE_LIGHT), STILL[0]],
    "a fast pan": [person("collins", view(0, left=200 + 40 * i), x=160 - 40 * i) for i in range(1, 5)],
    "a zoom": [cv2.resize(STILL[0][2 * i : HEIGHT - 2 * i, 3 * i : WIDTH - 3 * i], (WIDTH, HEIGHT)) for i in range(12)],
    "a fade to black and back": [lit(STILL[0], gain) for gain in (0.8, 0.5, 0.3, 0.1, 0, 0, 0.1, 0.3, 0.5, 0.8, 1)],
    "someone walks through": [person("collins", view(0), x=160 + 25 * i) for i in range(6)],
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_is_found_once(name):
    assert cuts_of([*STILL, *[CUT[name]] * 4]) == [4]


@pytest.mark.parametrize("name", NO_CUT)
def test_what_happens_in_one_scene_is_no_cut(name):
    assert cuts_of([*STILL, *NO_CUT[name]]) == []


def test_a_face_that_fills_the_frame_may_move():
    frames = [person("collins", view(0), x=130 + 20 * i, size=200) for i in range(5)]
    assert cuts_of([*frames, *frames[::-1]]) == []


def test_a_scene_behind_black_or_white_is_another_one():
    for between in (BLACK, WHITE):
        assert cuts_of([*STILL, between, between, *[CUT["another person in another room"]] * 3]) == [6]


def test_what_is_told_is_a_cut_and_another_size_is_one():
    scene = SceneCut()
    assert not scene.is_cut(STILL[0])
    assert scene.is_cut(STILL[0], first=True)
    assert not scene.is_cut(STILL[0])
    assert scene.is_cut(STILL[0][:, :160])
    assert scene.is_cut(cv2.resize(STILL[0][:, :160], None, fx=1.1, fy=1.1))  # also of the same ratio


def test_a_black_start_is_not_compared_for_ever():
    """After the first frames with something in them the film is as any other."""
    assert cuts_of([BLACK, BLACK, *STILL, *[CUT["an empty room"]] * 3]) == [6]


def test_the_measures_by_hand(rng):
    a = rng.integers(0, 256, (72, 96), dtype=np.uint8)
    assert correlation(a.astype(float), 0.5 * a + 20.0) == pytest.approx(1)
    assert correlation(a.astype(float), 255.0 - a) == pytest.approx(-1)
    assert correlation(a.astype(float), np.zeros((72, 96))) == 0
    assert share_found(a, np.roll(a, 10, axis=1)) >= 0.8  # all but the column that came in
    assert share_found(a, rng.integers(0, 256, (72, 96), dtype=np.uint8)) == 0
    assert share_found(a, np.full((72, 96), 128, np.uint8)) is None
    for size_hw in ((480, 640), (3000, 50), (1, 1), (2, 4000)):
        grey = small_grey(np.zeros((*size_hw, 3), np.uint8))
        assert max(grey.shape) == 96
        assert grey.dtype == np.uint8


def test_for_how_many_frames_without_structure_the_scene_before_is_remembered():
    after = [CUT["another person in another room"]] * 2
    assert cuts_of([*STILL, *[WHITE] * PATIENCE, *after]) == [len(STILL) + PATIENCE]
    assert cuts_of([*STILL, *[WHITE] * (PATIENCE + 1), *after]) == []


@pytest.mark.parametrize("told", [True, False])
def test_a_mirror_image_is_no_cut_where_it_is_told(told):
    scene = SceneCut()
    scene.is_cut(view(0))
    if told:
        scene.mirror()
    assert scene.is_cut(np.ascontiguousarray(view(0)[:, ::-1])) == (not told)
