"""One picture: cut out, shrunk, kept on disk; an entry is as good as its content."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.tiny_sets import write_picture

from data.pictures import cache
from data.pictures.cache import Picture, PictureCache, decode, shrink
from support import UserError
from support.resize import resizing


@pytest.fixture
def picture(tmp_path, portrait) -> Picture:
    return Picture(write_picture(tmp_path / "a.png", portrait[:200, :120]))


def entries(folder) -> list:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_longer_sides_are_shrunk_as_preprocess_does_and_small_pictures_stay(portrait):
    assert shrink(portrait[:200, :120], 60).shape == (60, 60, 3)
    assert shrink(portrait[:50, :300], 60).shape == (50, 60, 3)
    expected = np.einsum("yi,ijc,xj->yxc", resizing(120, 60), portrait[:120, :90], resizing(90, 60))
    assert np.abs(shrink(portrait[:120, :90], 60) - expected).max() <= 1
    small = portrait[:60, :60]
    assert shrink(small, 60) is small


def test_what_is_kept_is_what_was_computed(picture, tmp_path, monkeypatch):
    kept = PictureCache(60, tmp_path / "cache")
    first = kept.shrunk(picture)
    np.testing.assert_array_equal(first, shrink(decode(picture), 60))
    monkeypatch.setattr(cache, "decode", None)  # and is not computed again
    np.testing.assert_array_equal(kept.shrunk(picture), first)
    assert len(entries(tmp_path / "cache")) == 1


def test_a_changed_picture_another_box_and_another_side_are_other_entries(picture, tmp_path):
    kept = PictureCache(60, tmp_path / "cache")
    first = kept.shrunk(picture)
    box = (0, 0, 110, 110)
    assert kept.shrunk(Picture(picture.source, box)).shape == (60, 60, 3)
    assert PictureCache(50, tmp_path / "cache").shrunk(picture).shape == (50, 50, 3)
    write_picture(picture.source, 255 - decode(picture)[..., ::-1])
    np.testing.assert_array_equal(kept.shrunk(picture), shrink(decode(picture), 60))
    assert not np.array_equal(kept.shrunk(picture), first)
    assert len(entries(tmp_path / "cache")) == 4


@pytest.mark.parametrize(
    "damage", [lambda entry: entry[:-5], lambda entry: b"", lambda entry: entry[:50] + b"x" + entry[51:]]
)
def test_an_entry_that_was_cut_off_or_changed_is_made_anew(picture, tmp_path, damage):
    kept = PictureCache(60, tmp_path / "cache")
    first = kept.shrunk(picture)
    (entry,) = entries(tmp_path / "cache")
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    np.testing.assert_array_equal(kept.shrunk(picture), first)
    assert entry.read_bytes() == whole


def test_without_a_folder_and_for_small_pictures_nothing_is_kept(picture, tmp_path):
    assert PictureCache(60).shrunk(picture).shape == (60, 60, 3)
    assert PictureCache(200, tmp_path / "cache").shrunk(picture).shape == (200, 120, 3)
    assert not (tmp_path / "cache").exists()


def test_a_missing_picture_is_told(tmp_path):
    for kept in (PictureCache(60), PictureCache(60, tmp_path / "cache")):
        with pytest.raises(UserError, match="cannot open"):
            kept.shrunk(Picture(tmp_path / "gone.png"))


def test_grey_pixels_become_three_channels():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(decode(Picture(grey)), np.repeat(grey[..., None], 3, axis=2))
