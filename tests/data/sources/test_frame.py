"""Frame sources as such: reading, ending, closing."""

import threading
from pathlib import Path

import numpy as np
import pytest

from data.sources.frame import FileSource, Frame, Skipped
from data.sources.plain import LONG_RUN


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


def test_what_was_skipped_and_noted_on_the_way():
    gap = Skipped("test", 1, "damaged", frames=2)
    first, second = _frames(2)
    source = FileSource("test", iter([first, gap, "half of it is dark.", "the rest is bright.", second]))
    assert source.read() is first
    assert source.take_skipped() == []
    assert source.read() is second
    assert source.take_notes() == ["half of it is dark.", "the rest is bright."]
    assert source.take_notes() == []
    assert source.take_skipped() == [gap]
    assert source.take_skipped() == []
    assert source.read() is None
    assert source.ended


def test_skipped_is_lost_by_no_thread():
    source = FileSource("test", _frames(0))
    writer = threading.Thread(target=lambda: [source.skip(Skipped("test", index, "damaged")) for index in range(5000)])
    writer.start()
    taken = []
    while writer.is_alive():
        taken += source.take_skipped()
    writer.join()
    taken += source.take_skipped()
    assert [gap.index for gap in taken] == list(range(5000))


def test_closing_waits_for_the_frame_that_is_read():
    reading, go_on, released = threading.Event(), threading.Event(), []

    def frames():
        reading.set()
        assert go_on.wait(30)
        assert released == []
        yield from _frames(1)

    source = FileSource("test", frames(), release=lambda: released.append(True))
    got = []
    reader = threading.Thread(target=lambda: got.append(source.read()))
    reader.start()
    assert reading.wait(30)
    closer = threading.Thread(target=source.close)
    closer.start()
    go_on.set()
    for thread in (reader, closer):
        thread.join(30)
    assert [frame.index for frame in got] == [0]
    assert released == [True]
    assert source.read() is None


def test_hundreds_of_black_frames_are_noted_once():
    black = (Frame(np.zeros((48, 64, 3), np.uint8), index / 25, index, "a.mp4") for index in range(3 * LONG_RUN))
    source = FileSource("clips/a.mp4", black)
    notes = [(frame.index, note) for frame in source for note in source.take_notes()]
    ((index, note),) = notes
    assert index == LONG_RUN - 1
    assert "100 frames in a row, to number 99 of a.mp4, are plain black" in note


def test_a_camera_that_gives_only_black_is_told_what_to_check():
    frames = (Frame(np.zeros((48, 64, 3), np.uint8), index / 25, index, "camera 0") for index in range(LONG_RUN))
    source = FileSource("camera 0", frames)
    source.live = True
    list(source)
    (note,) = source.take_notes()
    assert note.startswith("camera 0 has given only black for 100 frames: is its cover closed")


def test_frames_of_one_film_have_one_origin_and_those_of_another_another():
    image, films = np.zeros((2, 2, 3), np.uint8), [Path("a/x.mp4"), Path("b/x.mp4"), None]
    origins = [[Frame(image, i / 30, i, "x.mp4", path=film).origin for i in range(2)] for film in films]
    assert all(first == second for first, second in origins)
    assert len({first for first, _ in origins}) == 3
    assert Frame(image, 0.0, 0, "camera 1").origin != Frame(image, 0.0, 0, "camera 0").origin
