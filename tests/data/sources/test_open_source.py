"""From a name to a source."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.paths import ROOT
from PIL import Image

from data.sources import open_source as opening
from data.sources.open_source import SOURCES, open_source, source_files
from support import UserError


def _kind(name):
    return next(kind for kind, source in SOURCES.items() if source.fits(name))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sample", "sample"),
        ("0", "camera"),
        ("12", "camera"),
        ("/dev/video2", "camera"),
        ("http://host/cam.mjpg", "stream"),
        ("rtsp://me:word@host:554/1", "stream"),
        ("holiday.JPG", "picture"),
        ("http.png", "picture"),
        ("photo.HEIC", "picture"),
        ("shots/*", "series"),
        ("shots/**/*.mp4", "series"),
        ("study.txt", "series"),
        (str(ROOT), "series"),
        ("holiday.mp4", "film"),
        ("./0", "film"),
        ("./sample", "film"),
        ("no such thing", "film"),
    ],
)
def test_names_find_their_kind(name, kind):
    assert _kind(name) == kind


def test_a_picture_whose_name_looks_like_a_pattern(tmp_path):
    path = tmp_path / "clip[1].avi"
    path.touch()
    assert _kind(str(path)) == "film"


def test_an_address_of_a_file_is_that_file(tmp_path):
    (tmp_path / "a film.mp4").write_bytes(b"none")
    for address in (f"file://{tmp_path}/a%20film.mp4", f"FILE://localhost{tmp_path}/a%20film.mp4"):
        assert source_files(address) == [tmp_path / "a film.mp4"]
        with pytest.raises(UserError, match=r"a film\.mp4 is not a video"):
            open_source(address)
    assert source_files("http://host/a.mp4") == []


def test_sample_with_its_options():
    with open_source("sample", width=320, height=200, max_frames=3) as source:
        got = list(source)
    assert [frame.index for frame in got] == [0, 1, 2]
    assert got[0].image_rgb.shape == (200, 320, 3)
    assert source.count == 3
    assert source.take_notes() == []


def test_the_sample_ends_after_one_round_where_nobody_watches():
    with open_source("sample", width=32, height=24, loop=False) as source:
        assert source.count == 600
        assert sum(1 for _ in source) == 600


def test_source_files_are_found_without_opening_them(tmp_path):
    for name in ("b10.mp4", "b2.jpg", "notes.md"):
        (tmp_path / name).write_bytes(b"neither film nor picture")
    (tmp_path / "study.txt").write_text("b2.jpg\n")
    assert source_files(str(tmp_path)) == [tmp_path / "b2.jpg", tmp_path / "b10.mp4"]
    assert source_files(str(tmp_path / "*.mp4")) == [tmp_path / "b10.mp4"]
    assert source_files(str(tmp_path / "study.txt")) == [tmp_path / "b2.jpg"]
    assert source_files(str(tmp_path / "b10.mp4")) == [tmp_path / "b10.mp4"]
    assert source_files("missing.png") == [Path("missing.png")]
    for name in ("0", "sample", "rtsp://host/1"):
        assert source_files(name) == []


def test_camera_gets_its_number_and_options(monkeypatch):
    asked = []
    sample = SOURCES["sample"].open("sample", opening.Asked())
    monkeypatch.setattr(opening, "open_camera", lambda index, **wanted: asked.append((index, wanted)) or sample)
    open_source("/dev/video3", width=1280, fps=60).close()
    assert asked == [(3, {"width": 1280, "height": None, "fps": 60})]


def test_without_a_name_and_a_camera_the_sample_plays_and_says_so(monkeypatch):
    def no_camera(index, **wanted):
        raise UserError("camera 0 gives no picture.", exit_code=1)

    monkeypatch.setattr(opening, "open_camera", no_camera)
    with open_source(None, width=320, height=240, max_frames=2) as source:
        (note,) = source.take_notes()
        assert "sample plays" in note
        assert "\n" not in note
        assert source.read().image_rgb.shape == (240, 320, 3)
    with pytest.raises(UserError):
        open_source("0")
    monkeypatch.setattr(opening.sys, "platform", "darwin")  # which asks while OpenCV has already given up
    with open_source(None) as source:
        assert "allow it, and start again" in source.take_notes()[1]


def test_more_digits_than_a_camera_has_are_a_file():
    with pytest.raises(UserError, match="cannot open 1111"):
        open_source("1" * 5000)


def test_what_only_a_camera_heeds_is_said_of_other_sources(tmp_path):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    with open_source(str(tmp_path / "a.png"), width=320, fps=5) as source:
        (note,) = source.take_notes()
        assert note == "--width, --fps cannot change this source, which stays as it is."
        assert source.read().image_rgb.shape == (48, 64, 3)
    for options in ({}, {"max_frames": 1}):
        with open_source(str(tmp_path / "a.png"), **options) as source:
            assert source.take_notes() == []
    with open_source("sample", width=320) as source:
        assert source.take_notes() == []
    with open_source("sample", width=320, fps=5) as source:
        assert source.take_notes() == ["--fps cannot change this source, which stays as it is."]


@pytest.mark.parametrize("of_name", [open_source, source_files])
def test_an_empty_name_is_said_to_be_empty(of_name):
    with pytest.raises(UserError, match=r"^--source is empty; name a camera, film, picture or folder"):
        of_name("")


def test_pictures_and_film_by_name(tmp_path):
    image_bgr = np.full((48, 64, 3), (10, 40, 200), np.uint8)
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", image_bgr)[1])
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    writer.write(image_bgr)
    writer.release()
    (tmp_path / "study.txt").write_text("a.avi\na.png\n")
    for name, names in {"a.png": 1, "*.png": 1, "a.avi": 1, "": 2, "study.txt": 2}.items():
        frames = list(open_source(str(tmp_path / name)))
        assert len(frames) == names
        for frame in frames:
            assert np.abs(frame.image_rgb[5, 5].astype(int) - (200, 40, 10)).max() <= 4


@pytest.mark.parametrize("option", ["width", "height", "fps", "max_frames"])
@pytest.mark.parametrize("value", [0, -3, float("nan")])
def test_numbers_must_be_positive(option, value):
    with pytest.raises(UserError, match=f"--{option.replace('_', '-')} takes a number above 0"):
        open_source("sample", **{option: value})


def test_opencv_adds_no_lines_of_its_own():
    script = "from data.sources.open_source import open_source; open_source('97')"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "UserError: camera 97 gives no picture" in done.stderr.strip().splitlines()[-1]
    assert "WARN" not in done.stderr
    assert "ERROR:" not in done.stderr
