"""Folders and lists: films and pictures one after the other, and what of them cannot be read."""

import numpy as np
import pytest
from helpers.films import moving, patches, write_film
from PIL import Image

from data.sources import series
from data.sources.frame import FileSource, Frame
from data.sources.series import open_series
from support import UserError


def _picture(path, colour=(200, 40, 10), size=(30, 20)):
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_pictures_keep_their_numbers_where_one_cannot_be_read(tmp_path, caplog):
    for name in ("10.png", "9.png", "1.PNG"):
        _picture(tmp_path / name)
    (tmp_path / "2.png").write_bytes(b"broken")
    with open_series(str(tmp_path)) as source:
        assert (source.live, source.fps, source.count) == (False, None, 4)
        frames = list(source)
    assert [(frame.name, frame.index, frame.time_s, frame.still) for frame in frames] == [
        ("1.PNG", 0, 0.0, True),
        ("9.png", 2, 2.0, True),
        ("10.png", 3, 3.0, True),
    ]
    (gap,) = source.take_skipped()
    assert (gap.name, gap.index, gap.frames, gap.path) == ("2.png", 1, 1, tmp_path / "2.png")
    assert gap.reason == "is not a picture that can be read"
    assert "2.png is not a picture" in caplog.text


def test_films_and_pictures_mixed_in_subfolders(tmp_path):
    _picture(tmp_path / "a.jpg")
    _picture(tmp_path / "c" / "d.png")
    (tmp_path / "notes.md").touch()
    (tmp_path / "c" / "broken.mp4").write_bytes(b"no film")
    write_film(tmp_path / "b.mp4", moving(3))
    write_film(tmp_path / "c" / "e.mkv", moving(2), rate=10)
    with open_series(str(tmp_path)) as source:
        assert (source.stills, source.count) == (False, 7)
        assert "1 file is no film or picture" in source.take_notes()[0]
        frames = list(source)
    assert [(frame.name, frame.index, frame.still) for frame in frames] == [
        ("a.jpg", 0, True),
        *[("b.mp4", index, False) for index in range(3)],
        ("c/d.png", 1, True),
        *[("c/e.mkv", index, False) for index in range(2)],
    ]
    assert [frame.path for frame in frames] == [tmp_path / frame.name for frame in frames]
    assert np.allclose([frame.time_s for frame in frames], [0, 0, 0.04, 0.08, 1, 0, 0.1], atol=1e-3)
    assert [gap.name for gap in source.take_skipped()] == ["c/broken.mp4"]


def test_many_films_are_not_all_asked_for_their_length(tmp_path, monkeypatch):
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        write_film(tmp_path / name, moving(3))
    assert open_series(str(tmp_path)).count == 9
    monkeypatch.setattr(series, "MOST_ASKED", 2)
    monkeypatch.setattr(series, "expected_frames", lambda path: pytest.fail("a film was opened"))
    assert open_series(str(tmp_path)).count is None


def test_a_list_with_a_missing_file_goes_on(tmp_path):
    _picture(tmp_path / "x.png")
    (tmp_path / "study.txt").write_text("gone.png\nx.png\n")
    source = open_series(str(tmp_path / "study.txt"))
    assert [(frame.name, frame.index) for frame in source] == [("x.png", 1)]
    (gap,) = source.take_skipped()
    assert (gap.name, gap.index) == ("gone.png", 0)
    assert gap.reason == "cannot open: No such file or directory"


def test_a_film_that_ends_in_the_middle_says_at_which_frame(tmp_path, monkeypatch):
    class Half(FileSource):
        def read(self, timeout_s=None):
            if self.given == 2:
                raise UserError("a.mp4 cannot be read any further.")
            self.given += 1
            return super().read(timeout_s)

        given = 0

    frames = [Frame(np.zeros((8, 8, 3), np.uint8), i / 25, i, "a.mp4") for i in range(4)]
    monkeypatch.setattr(series, "open_film", lambda path, name: Half(name, iter(frames), fps=25))
    write_film(tmp_path / "a.mp4", moving(3))
    source = open_series(str(tmp_path))
    assert [frame.index for frame in source] == [0, 1]
    assert [gap.index for gap in source.take_skipped()] == [2]


def test_a_picture_one_pixel_wide_is_a_picture(tmp_path):
    _picture(tmp_path / "a.png", size=(1, 40))
    _picture(tmp_path / "b.png")
    assert [frame.image_rgb.shape for frame in open_series(str(tmp_path))] == [(40, 1, 3), (20, 30, 3)]


def test_an_animation_among_pictures_is_a_film(tmp_path):
    images = [Image.fromarray(np.roll(patches(), 16 * index, axis=1)) for index in range(3)]
    images[0].save(tmp_path / "a.webp", save_all=True, append_images=images[1:], duration=100)
    _picture(tmp_path / "b.png")
    frames = list(open_series(str(tmp_path)))
    assert [(frame.name, frame.still) for frame in frames] == [("a.webp", False)] * 3 + [("b.png", True)]


def test_where_nothing_can_be_read_the_run_ends_in_a_sentence(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.mp4").write_bytes(b"")
    with open_series(str(tmp_path)) as source, pytest.raises(UserError, match="none of the 2 files") as error:
        list(source)
    assert error.value.exit_code == 1
    assert [gap.name for gap in source.take_skipped()] == ["a.png", "b.mp4"]


def test_files_are_opened_one_at_a_time_and_closed_when_the_consumer_stops(tmp_path, monkeypatch):
    opened = []
    real = series.open_film
    monkeypatch.setattr(series, "open_film", lambda path, name: opened.append(real(path, name=name)) or opened[-1])
    for name in ("a.mp4", "b.mp4"):
        write_film(tmp_path / name, moving(3))
    with open_series(str(tmp_path)) as source:
        source.read()
        assert [film.description for film in opened] == [str(tmp_path / "a.mp4")]
        assert not opened[0].ended
    assert opened[0].ended


def test_what_a_list_names_without_a_known_suffix_is_known_by_its_content(tmp_path):
    _picture(tmp_path / "x.png")
    write_film(tmp_path / "y.mp4", moving(2))
    (tmp_path / "x.png").rename(tmp_path / "shot")
    (tmp_path / "y.mp4").rename(tmp_path / "clip.bin")
    (tmp_path / "study.txt").write_text("clip.bin\nshot\n")
    frames = list(open_series(str(tmp_path / "study.txt")))
    assert [(frame.name, frame.index, frame.still) for frame in frames] == [
        ("clip.bin", 0, False),
        ("clip.bin", 1, False),
        ("shot", 0, True),
    ]
