"""Which files a name stands for, in which order, and what they are called."""

import os

import pytest

from data.sources import files
from data.sources.files import (
    list_files,
    natural_key,
    printable,
    refuse_special_files,
    stands_for_several,
    without_user,
)
from support import UserError


@pytest.fixture
def folder(tmp_path):
    """Films, pictures and other files, two folders deep."""
    names = "a10.jpg a2.JPG b/clip2.mp4 b/clip10.mov b/deep/x.heic c.webm .hidden.jpg .git/y.png notes.md b/seen.csv"
    for name in names.split():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def _names(found):
    return [file.name for file in found.files]


def test_a_folder_is_read_with_its_subfolders_in_natural_order(folder):
    found = list_files(str(folder))
    assert _names(found) == ["a2.JPG", "a10.jpg", "b/clip2.mp4", "b/clip10.mov", "b/deep/x.heic", "c.webm"]
    assert [file.path for file in found.files] == [folder / name for name in _names(found)]
    assert found.note == f"2 files are no films or pictures in {folder}: left out."


def test_nothing_is_noted_where_nothing_is_left_out(folder):
    assert list_files(str(folder / "b" / "deep")).note is None


def test_patterns_with_and_without_subfolders(folder):
    assert _names(list_files(f"{folder}/*.jpg")) == ["a10.jpg"]
    assert _names(list_files(f"{folder}/b/*")) == ["clip2.mp4", "clip10.mov"]
    assert _names(list_files(f"{folder}/**/*.m*")) == ["b/clip2.mp4", "b/clip10.mov"]
    assert list_files(f"{folder}/**/*.m*").note == f"1 file is no film or picture in {folder}/**/*.m*: left out."


def test_a_list_names_one_source_a_line(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "z.png"
    lines = ["# day 1", "", "c.webm", "  b/deep  ", "missing.jpg", "b/*.mp4", "c.webm", "odd.bin"]
    (folder / "study.txt").write_text("\n".join(lines), encoding="utf-8-sig")
    found = list_files(str(folder / "study.txt"))
    assert _names(found) == ["c.webm", "b/deep/x.heic", "missing.jpg", "b/clip2.mp4", "odd.bin"]
    (folder / "study.txt").write_text(f"{elsewhere}\r\nc.webm\r\n")
    names = _names(list_files(str(folder / "study.txt")))
    assert names[0].endswith("elsewhere0/z.png")
    assert names[1].endswith("c.webm")
    assert len({*names}) == 2
    assert not any(".." in name for name in names), "outputs are written under these names"


@pytest.mark.parametrize("spelling", ["file://{}", "FILE://localhost{}"])
def test_a_list_may_name_files_by_their_addresses(folder, spelling):
    spaced = (folder / "a10.jpg").rename(folder / "a 10.jpg")
    lines = [folder / "c.webm", str(spaced).replace(" ", "%20"), folder / "b" / "deep"]
    (folder / "study.txt").write_text("\n".join(spelling.format(line) for line in lines))
    assert _names(list_files(str(folder / "study.txt"))) == ["c.webm", "a 10.jpg", "b/deep/x.heic"]


def test_files_on_several_drives_keep_names_of_their_own(folder, monkeypatch):
    def several_drives(name, paths):
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr(files, "_base", several_drives)
    (folder / "study.txt").write_text("c.webm\na10.jpg\n")
    names = _names(list_files(str(folder / "study.txt")))
    assert names == [str(folder / "c.webm").lstrip("/"), str(folder / "a10.jpg").lstrip("/")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"a.png\na\x00b.mp4\n", "is not UTF-8 text"),
        (b"http://host/a.mp4", "names an address"),
        (b"other.txt", "names another list"),
        (b"# nothing", "no films or pictures"),
    ],
)
def test_a_list_that_cannot_be_followed_is_one_sentence(tmp_path, content, reason):
    (tmp_path / "study.txt").write_bytes(content)
    with pytest.raises(UserError, match=reason):
        list_files(str(tmp_path / "study.txt"))


def test_nothing_there_is_one_sentence(tmp_path):
    for name in (str(tmp_path), f"{tmp_path}/*.png"):
        with pytest.raises(UserError, match="no films or pictures in"):
            list_files(name)
    with pytest.raises(UserError, match="cannot open"):
        list_files(str(tmp_path / "missing.txt"))


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links there")
def test_linked_folders_are_read_once_and_a_circle_ends(folder):
    (folder / "b" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "again").symlink_to(folder / "b", target_is_directory=True)
    names = _names(list_files(str(folder)))
    assert len(names) == 6
    assert sum(name.endswith("clip2.mp4") for name in names) == 1


def test_a_link_that_leads_nowhere_ends_nothing(folder):
    """It raises where it is looked at, as does a link into a folder that may not be entered."""
    (folder / "circle.mp4").symlink_to(folder / "circle.mp4")
    assert "circle.mp4" in _names(list_files(str(folder)))
    assert len(list_files(str(folder)).files) == 7


def test_names_are_one_line_that_a_terminal_shows_as_text(tmp_path):
    assert printable("a\nb\x1b[31m c\0.png") == r"a\nb\x1b[31m c\x00.png"
    assert printable(os.fsdecode(b"\xff") + " ä.png") == r"\xff ä.png"
    for name in ("a\0.txt", "a\0*.png"):
        with pytest.raises(UserError, match=r"a\\x00"):
            list_files(name)


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    (tmp_path / "clip[1].mp4").touch()
    assert not stands_for_several(str(tmp_path / "clip[1].mp4"))
    assert stands_for_several(str(tmp_path / "clip[2].mp4"))


def test_natural_order():
    names = ["b/1", "a/b10", "a/b9", "a-1", "a", "a/B10a", "a/b9/c"]
    assert sorted(names, key=natural_key) == ["a", "a/b9", "a/b9/c", "a/b10", "a/B10a", "a-1", "b/1"]


def test_what_is_not_there_is_left_to_those_who_open_it(tmp_path):
    refuse_special_files(tmp_path / "missing.mp4")
    refuse_special_files("a\0b")


def test_a_name_that_no_file_can_have_is_printable_and_short():
    assert printable("a\ud800b") == "a?b"
    assert printable("a\x1b[2J\n") == "a\\x1b[2J\\n"
    long = printable("x" * 70_000 + ".png")
    assert len(long) < 300
    assert long.endswith("x.png")


@pytest.mark.parametrize("link", ["a", "z"])
def test_a_link_beside_a_folder_does_not_take_over_its_name(tmp_path, link):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "1.png").touch()
    (tmp_path / link).symlink_to("m")
    assert _names(list_files(str(tmp_path))) == ["m/1.png"]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://cam:554/live", "rtsp://cam:554/live"),
        ("rtsp://me:secret@cam:554/@live", "rtsp://cam:554/@live"),
        ("http://me:sec/ret@cam/live.mp4", "http://cam/live.mp4"),
        ("http://me:se#c?ret@cam/live.mp4", "http://cam/live.mp4"),
        ("rtsp://cam/user=me_password=secret_channel=1.sdp", "rtsp://cam/user=me_password=..._channel=1.sdp"),
        ("me:secret@bucket/a@b.mp4", "bucket/a@b.mp4"),
    ],
)
def test_an_address_is_shown_without_user_and_password(address, shown):
    assert without_user(address) == shown
