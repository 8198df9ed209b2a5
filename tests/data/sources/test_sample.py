"""The bundled sample: a smooth, calm, repeatable film."""

import itertools
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers.paths import ROOT
from matplotlib import pyplot as plt
from matplotlib.cbook import get_sample_data
from skimage.data import astronaut

from data.sources import sample
from data.sources.sample import FPS, PERIOD, PHOTOS, PORTRAITS, open_sample, portrait, sample_frame
from support import UserError


def test_frame_is_a_pure_function_of_its_number():
    first = sample_frame(7)
    first_copy = first.copy()
    first[:] = 0  # a consumer may paint on what it got
    assert np.array_equal(sample_frame(7), first_copy)
    assert first.shape == (480, 640, 3)
    assert first.dtype == np.uint8


@pytest.mark.parametrize(
    ("person", "read"),
    [("collins", astronaut), ("hopper", lambda: plt.imread(str(get_sample_data("grace_hopper.jpg", False))))],
)
def test_portraits_are_those_that_the_packages_give(person, read):
    difference = portrait(person).astype(int) - read()
    assert np.abs(difference).max() <= 2  # two decoders of one JPEG


def test_the_packages_are_not_imported():
    code = (
        "import sys; from data.sources.sample import sample_frame; sample_frame(0); "
        "sys.exit(bool({'skimage', 'matplotlib', 'scipy'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.fixture
def only(monkeypatch):
    """Make as if only the named portraits were installed."""

    def install(*people):
        missing = {name: replace(one, file=f"not_there/{name}.png") for name, one in PORTRAITS.items()}
        monkeypatch.setattr(sample, "PORTRAITS", missing | {name: PORTRAITS[name] for name in people})
        clear()

    def clear():
        sample._head.cache_clear()
        sample._sprite.cache_clear()

    yield install
    clear()


def test_without_scikit_image_every_photograph_shows_grace_hopper(only):
    both = sample_frame(0)
    only("hopper")
    alone = sample_frame(0)
    changed = (both != alone).any(axis=2)
    for photo in PHOTOS:
        x, y = round(photo.centre_xy[0] * 640), round(photo.centre_xy[1] * 480)
        share = changed[y - 20 : y + 20, x - 20 : x + 20].mean()
        assert share > 0.9 if photo.person == "collins" else share == 0


def test_without_any_portrait_one_sentence_says_what_to_install(only):
    only()
    with pytest.raises(UserError, match=r"hopper\.png is not there; .*: pip install matplotlib\.$"):
        sample_frame(0)


def test_film_loops():
    assert np.array_equal(sample_frame(3), sample_frame(3 + PERIOD))
    assert not np.array_equal(sample_frame(3), sample_frame(3 + PERIOD // 2))


def test_motion_is_smooth():
    numbers = [*range(30), *range(PERIOD - 5, PERIOD + 5)]  # the second part crosses the loop's seam
    for before, after in itertools.pairwise(numbers):
        if after == before + 1:
            change = np.abs(sample_frame(before, (120, 160)).astype(int) - sample_frame(after, (120, 160))).mean()
            assert 0 < change < 4


@pytest.mark.parametrize("size_hw", [(480, 640), (720, 1280), (640, 480), (120, 160), (16, 16)])
def test_any_size(size_hw):
    assert sample_frame(0, size_hw).shape == (*size_hw, 3)


def test_background_is_not_black_and_faces_are_skin_coloured():
    frame = sample_frame(0)
    assert frame[-1, 0].min() > 100
    assert frame.std() > 20
    for photo in PHOTOS:
        if photo.grey:
            continue
        x, y = photo.centre_xy[0] * 640, photo.centre_xy[1] * 480 - 0.1 * photo.size * 480  # a little above the middle
        red, _, blue = frame[int(y) - 6 : int(y) + 6, int(x) - 6 : int(x) + 6].reshape(-1, 3).mean(axis=0)
        assert red > blue + 25


def test_source_behaves_like_a_film():
    with open_sample() as source:
        assert (source.live, source.fps, source.count) == (False, FPS, None)
        frames = [source.read() for _ in range(3)]
    assert [frame.time_s for frame in frames] == [0, 1 / 30, 2 / 30]
    assert np.array_equal(frames[2].image_rgb, sample_frame(2))


@pytest.mark.parametrize(
    ("asked", "size_hw"),
    [({"width": 320}, (240, 320)), ({"height": 240}, (240, 320)), ({"width": 640, "height": 360}, (360, 640))],
)
def test_source_takes_a_size(asked, size_hw):
    with open_sample(**asked) as source:
        assert source.read().image_rgb.shape[:2] == size_hw
