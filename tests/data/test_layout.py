"""Where things lie: roots some levels down, leftovers, archives in archives."""

from __future__ import annotations

import os
import sys
import zipfile
from types import SimpleNamespace

import pytest
from helpers.tiny_formats import make_raf_zip
from helpers.tiny_sets import write_grey, write_lines

from data import layout
from data.datasets import load_faces
from data.layout import child, find_root, folders_in, pictures_in, unpacked
from support import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "UNPACKED", tmp_path / "cache")
    return tmp_path / "cache"


def test_the_root_is_found_some_levels_down_and_not_deeper(tmp_path):
    write_lines(tmp_path / "a/b/there.txt", ["x"])
    for folder in (tmp_path / "a/b", tmp_path / "a", tmp_path):
        assert find_root(folder, lambda path: (path / "there.txt").is_file()) == tmp_path / "a/b"
    write_lines(tmp_path / "x/y/z/deep.txt", ["x"])
    assert find_root(tmp_path, lambda path: (path / "deep.txt").is_file()) is None


def test_what_systems_leave_is_passed_over(tmp_path):
    for name in ("happy/1", "happy/.2", "happy/@eaDir/3", "happy/deeper/4", ".ipynb_checkpoints/5", "__MACOSX/6"):
        write_grey(tmp_path / f"{name}.png", 3)
    assert [path.name for path in folders_in(tmp_path)] == ["happy"]
    assert [path.name for path in pictures_in(tmp_path / "happy")] == ["1.png", "4.png"]


def test_a_link_to_itself_is_a_file_like_another(tmp_path):
    write_grey(tmp_path / "happy/1.png", 3)
    for link in (tmp_path / "loop", tmp_path / "happy/2.png"):
        link.symlink_to(link)
    assert [path.name for path in folders_in(tmp_path)] == ["happy"]
    assert [path.name for path in pictures_in(tmp_path)] == ["1.png", "2.png"]


def test_names_are_found_in_any_case(tmp_path):
    write_lines(tmp_path / "EmoLabel/a.txt", ["x"])
    assert child(tmp_path, "emolabel") == tmp_path / "EmoLabel"
    assert child(tmp_path, "image", "EMOLABEL") == tmp_path / "EmoLabel"
    assert child(tmp_path, "image") is None
    assert child(tmp_path / "nowhere", "image") is None


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "shut").mkdir(mode=0)
    with pytest.raises(UserError, match="cannot read the folder"):
        list(pictures_in(tmp_path / "shut"))


def test_raf_db_as_it_is_downloaded_is_unpacked_once(tmp_path, capsys, cache):
    archive = make_raf_zip(tmp_path / "RAF-DB.zip", tmp_path / "folder")
    faces = load_faces(archive, "test")
    whole = load_faces(tmp_path / "folder", "test")
    assert faces.names == whole.names
    assert faces.labels.tolist() == whole.labels.tolist()
    assert [image[0, 0, 0] for image in faces.images] == [image[0, 0, 0] for image in whole.images]
    assert capsys.readouterr().err.count("unpacking") == 1
    load_faces(archive, "train")
    assert "unpacking" not in capsys.readouterr().err
    assert len(list(cache.iterdir())) == 1


def test_an_archive_cannot_write_elsewhere(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../../outside.txt", "x")
        archive.writestr("/rooted.txt", "x")
    folder = unpacked(tmp_path / "a.zip")
    assert {path.name for path in folder.iterdir()} == {"outside.txt", "rooted.txt"}
    assert not (tmp_path / "outside.txt").exists()


def test_what_is_no_whole_archive_is_refused_and_leaves_nothing(tmp_path, cache):
    whole = make_raf_zip(tmp_path / "whole.zip", tmp_path / "folder").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(tmp_path / "nameless.zip", "w") as archive:
        entry = zipfile.ZipInfo("a")
        entry.filename = ""
        archive.writestr(entry, "x")
    for name in ("cut", "nameless"):
        with pytest.raises(UserError, match=rf"{name}\.zip is no whole \.zip"):
            unpacked(tmp_path / f"{name}.zip")
    assert list(cache.iterdir()) == []


def test_an_archive_in_it_is_unpacked_in_any_case_but_none_in_that(tmp_path):
    inner, middle = tmp_path / "inner.zip", tmp_path / "middle.ZIP"
    for path, content in ((inner, None), (middle, inner), (tmp_path / "outer.zip", middle)):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", "x")
            if content:
                archive.write(content, content.name)
    folder = unpacked(tmp_path / "outer.zip")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"a.txt", "middle/a.txt", "middle/inner.zip"}


@pytest.mark.skipif(sys.platform != "linux", reason="such names are Linux's")
def test_an_archive_may_have_any_name(tmp_path):
    path = make_raf_zip(tmp_path / os.fsdecode(b"a\xff.zip"), tmp_path / "folder")
    assert len(list(pictures_in(unpacked(path)))) > 0


def test_an_archive_larger_than_the_disk_is_refused(tmp_path, monkeypatch, cache):
    archive = make_raf_zip(tmp_path / "whole.zip", tmp_path / "folder")
    monkeypatch.setattr(layout.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(UserError, match="make room"):
        unpacked(archive)
    assert list(cache.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links there")
def test_a_link_to_a_folder_around_it_is_passed_over(tmp_path):
    picture = write_grey(tmp_path / "happy/in/0.png", 1)
    other = write_grey(tmp_path / "elsewhere/1.png", 1)
    (picture.parent / "again").symlink_to(tmp_path / "happy")
    (picture.parent / "other").symlink_to(other.parent)
    assert list(pictures_in(tmp_path / "happy")) == [picture, picture.parent / "other/1.png"]
