"""Frame sources as such: reading, ending, closing."""

import numpy as np
import pytest

from data.sources.frame import FileSource, Frame


def _frames(number):
    for index in range(number):
        yield Frame(np.full((2, 3, 3), index, np.uint8), time_s=index / 10, index=index, name="test")


def test_iterates_to_the_end_and_releases_once():
    released = []
    with FileSource("test", _frames(3), count=3, release=lambda: released.append(True)) as source:
        assert [frame.index for frame in source] == [0, 1, 2]
        assert source.ended
        assert released == [True]
    assert released == [True]


def test_releases_when_the_consumer_stops_early_or_fails():
    released = []
    source = FileSource("test", _frames(3), release=lambda: released.append(True))
    for _ in source:
        break
    assert released == [True]
    assert source.ended
    assert source.read() is None
    failing = FileSource("test", _frames(3), release=lambda: released.append(True))
    with pytest.raises(KeyboardInterrupt), failing:
        failing.read()
        raise KeyboardInterrupt
    assert released == [True, True]


def test_max_frames_ends_an_endless_source():
    source = FileSource("test", _frames(1000))
    source.max_frames = 4
    assert source.count == 4
    assert len(list(source)) == 4
    assert source.ended


def test_count_is_the_smaller_of_length_and_max_frames():
    source = FileSource("test", _frames(3), count=3)
    assert source.count == 3
    source.max_frames = 10
    assert source.count == 3
    assert FileSource("test", _frames(3)).count is None
