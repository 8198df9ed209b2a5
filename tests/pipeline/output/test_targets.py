"""What is refused before anything is opened: each target that would cost a file, or a whole run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.options import SessionOptions
from pipeline.output import targets as module
from pipeline.output.log import PredictionLog
from pipeline.output.targets import check_targets, is_folder, leftovers
from support import UserError


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder to work in, with a film, a log that is taken for a source, and pictures."""
    monkeypatch.chdir(tmp_path)
    Path("film.mp4").write_bytes(b"a film")
    Path("list.csv").write_text("a list")
    for name in ("pictures/a.jpg", "pictures/b/c.jpg"):
        Path(name).parent.mkdir(exist_ok=True)
        cv2.imwrite(name, np.zeros((8, 8, 3), np.uint8))
    return tmp_path


def everything(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def refused(source: str | None, words: str, *, code: int = 2, **options: str | bool) -> None:
    """The sentence has these words, and nothing has changed."""
    before = everything(Path.cwd())
    with pytest.raises(UserError, match=words) as error:
        check_targets(SessionOptions(**options), source)
    assert error.value.exit_code == code
    assert "\n" not in str(error.value)
    assert everything(Path.cwd()) == before


def test_the_source_itself_however_it_is_spelled(here):
    Path("link.mp4").symlink_to("film.mp4")
    os.link("film.mp4", "hard.mp4")
    Path("folder").symlink_to(".", target_is_directory=True)
    for name in ("film.mp4", "./film.mp4", "pictures/../film.mp4", str(here / "film.mp4"), "link.mp4", "hard.mp4",
                 "folder/film.mp4"):  # fmt: skip
        refused("film.mp4", "is the source itself", save=name)
        refused(name, "is the source itself", save="film.mp4")
    Path("films").mkdir()
    os.link("film.mp4", "films/one.mp4")
    refused("films", "is the source itself", save="films/one.mp4")
    refused("films/*.mp4", "is the source itself", save="films/one.mp4")
    Path("list.txt").write_text("films/one.mp4\n")
    refused("list.txt", "is the source itself", save="film.mp4")  # a hard link to it


def test_folders_that_hold_the_source_or_other_files_or_lie_in_the_source(here):
    Path("mine").mkdir()
    Path("mine/precious.jpg").touch()
    Path("link").symlink_to("pictures", target_is_directory=True)
    for flag in ("save", "crops"):
        refused("pictures", "holds the source", **{flag: "pictures/"})
        refused("pictures", "holds the source", **{flag: "link/"})
        refused("pictures/b", "holds the source", **{flag: "pictures/"})
        refused("pictures/*.jpg", "holds the source", **{flag: "pictures/"})
        refused("pictures", "lies in the source", **{flag: "pictures/seen/"})
        refused("pictures", "lies in the source", **{flag: "link/seen/"})
        refused("pictures", "holds files already", **{flag: "mine/"})
    Path("page").mkdir()
    Path("page/index.html").write_text("my home page")
    refused("pictures", "is not a report", report="page")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_targets_of_the_wrong_kind(here):
    os.mkfifo("pipe.csv")
    Path("folder.mp4").mkdir()
    refused("film.mp4", "is a folder; name a file", save="folder.mp4")
    refused("film.mp4", "a device or a pipe", log="pipe.csv")
    if os.path.exists("/dev/null"):
        Path("null.csv").symlink_to("/dev/null")
        refused("film.mp4", "a device or a pipe", log="null.csv")
    refused("film.mp4", r"takes a film \(\.mp4, \.webm, \.avi\) or a folder \(seen/\), not 'out\.gif'", save="out.gif")
    refused("film.mp4", r"ends in \.csv or \.jsonl", log="out.xls")
    refused("film.mp4", "is a file and no folder", crops="film.mp4")
    refused("film.mp4", "and film.mp4 is none", report="film.mp4")
    refused("film.mp4", "File name too long", code=1, log="a" * 300 + ".csv")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder in which root cannot write either")
def test_places_that_cannot_be_written(here):
    for options in ({"save": "/proc/a.mp4"}, {"log": "/proc/new/a.csv"}, {"crops": "/proc/crops"},
                    {"save": "/proc/seen/"}, {"report": "/proc/report"}, {"log": "film.mp4/a.csv"}):  # fmt: skip
        refused("film.mp4", "cannot write", code=1, **options)


def test_a_read_only_file_stays(here, monkeypatch):
    Path("old.csv").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write whatever its mode is
    refused("film.mp4", "is read-only", code=1, log="old.csv")


def test_what_keeps_faces_is_refused_beside_blur(here):
    for flag, value in (("crops", "c/"), ("report_faces", True)):
        refused(None, f"--{flag.replace('_', '-')} keeps faces as they are", blur=True, **{flag: value})
    check_targets(SessionOptions(blur=True, save="a.mp4", report="r"), None)
    refused(None, "--blur hides no face that has moved since", blur=True, every=2)


def test_faces_for_a_report_that_nobody_writes_are_refused(here, monkeypatch):
    monkeypatch.setattr(module, "display_available", lambda: True)
    refused(None, "none is written without --report or a window", report_faces=True, show=False)
    for options in ({"show": True}, {"show": False, "report": "r"}):
        check_targets(SessionOptions(report_faces=True, **options), None)
    monkeypatch.setattr(module, "display_available", lambda: False)
    refused(None, "none is written without --report or a window", report_faces=True)


def test_what_is_fine_is_left_alone(here):
    Path("empty").mkdir()
    Path("old.mp4").write_text("of an earlier run")
    before = everything(here)
    for options in ({"save": "old.mp4", "log": "new/a.csv", "crops": "new/crops", "report": "new/report"},
                    {"save": "empty", "crops": "crops"}, {"save": "seen/"}, {}):  # fmt: skip
        for source in ("film.mp4", "pictures", "pictures/*.jpg", "sample", "0", "http://host/a.mp4", None):
            check_targets(SessionOptions(**options), source)
    assert everything(here) == before
    assert [is_folder(name) for name in ("seen/", "empty", "new", "a.mp4")] == [True, True, False, False]


@pytest.mark.parametrize("flag", ["save", "log", "crops", "report"])
def test_an_empty_name_is_no_name(here, flag):
    refused("film.mp4", f"{flag} is empty", **{flag: ""})


def test_one_place_is_not_given_twice(here):
    """A folder cannot have the name of a file, and crops would lie among pictures that they might replace."""
    refused("film.mp4", "--log and --report both name x.csv", log="./x.csv", report="x.csv")
    refused("film.mp4", "--save and --crops both name seen.mp4", save="./seen.mp4", crops="seen.mp4")
    refused("film.mp4", "--save and --crops both name out", save="out/", crops="out")


@pytest.mark.parametrize("spelling", ["file://{}", "FILE://localhost{}"])
def test_an_address_of_the_source_is_seen_through(here, spelling):
    refused(spelling.format(here / "film.mp4"), "is the source itself", save="film.mp4")


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_leftovers_are_those_of_runs_that_have_ended(here):
    left = [Path(name) for name in ("seen.partial.mp4", "seen.partial-2.mp4", "recordings/r.partial.mp4",
                                    "report/.index-abc.partial.html", "crops/.a-xyz.partial.png")]  # fmt: skip
    others = ("other.partial.mp4", "seen.partial.csv", "report/photos/2019/mine.partial.jpg")  # nobody looks so deep
    for path in [*left, *map(Path, others)]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    options = SessionOptions(save="seen.mp4", log="log.csv", crops="crops", report="report")
    with PredictionLog("log.csv", ("fear",)):  # another run, which is writing
        assert {path.resolve() for path in leftovers(options)} == {path.resolve() for path in left}
    assert leftovers(SessionOptions()) == [Path("recordings/r.partial.mp4")]
