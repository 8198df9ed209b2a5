"""What names stand for."""

from __future__ import annotations

import hashlib
import os

import pyarrow.fs
import pytest
from helpers.archives import scene, write_picture

from pipeline.archive.sources import CHUNK, list_sources, local_copy, sha256_of, version_of
from support import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "in" / "b10.png", scene(0))
    write_picture(tmp_path / "in" / "b9.png", scene(1))
    (tmp_path / "in" / "sub").mkdir()
    (tmp_path / "in" / "sub" / "film.mp4").write_bytes(b"12")
    (tmp_path / "in" / "notes.doc").write_bytes(b"")
    return tmp_path


def test_folders_patterns_and_files_each_source_once(folder):
    sources, columns, notes = list_sources(["in", "in/b*.png", "in/sub/../b9.png"])
    assert [source.name for source in sources] == ["in/b9.png", "in/b10.png", "in/sub/film.mp4"]
    assert [source.is_picture for source in sources] == [True, True, False]
    assert [source.path for source in sources] == [str(folder / source.name) for source in sources]
    assert columns == ()
    assert notes == ["1 file is no film or picture in in: left out."]


def test_a_csv_carries_its_columns(folder):
    (folder / "in" / "list.csv").write_text("room,source,age\n1,b9.png,30\n2,sub,\n", encoding="utf-8-sig")
    sources, columns, _ = list_sources(["in/list.csv"])
    assert columns == ("room", "age")
    assert [(source.name, source.own) for source in sources] == [
        ("in/b9.png", ("1", "30")),
        ("in/sub/film.mp4", ("2", "")),
    ]
    with pytest.raises(UserError, match=r"in has no columns beside its sources, and .* before has room, age;"):
        list_sources(["in/list.csv", "in"])
    with pytest.raises(UserError, match=r"list\.csv has room, age beside its sources, and .* before has none;"):
        list_sources(["in", "in/list.csv"])


def test_a_folder_may_be_called_as_a_list(folder):
    for name in ("in.csv", "in.txt"):
        write_picture(folder / name / "a.png", scene(0))
    assert [source.name for source in list_sources(["in.csv", "in.txt"])[0]] == ["in.csv/a.png", "in.txt/a.png"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_csv_may_be_as_spreadsheets_write_it(folder, delimiter, encoding):
    text = "source,age\r\nb9.png,30\r\n,\r\nb10.png\r\n".replace(",", delimiter)
    (folder / "in" / "list.csv").write_bytes(text.encode(encoding))
    sources, columns, _ = list_sources(["in/list.csv"])
    assert columns == ("age",)
    assert [(source.name, source.own) for source in sources] == [("in/b9.png", ("30",)), ("in/b10.png", ("",))]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_list_that_is_a_pipe_is_not_waited_for(folder):
    os.mkfifo("pipe.csv")
    with pytest.raises(UserError, match="is a folder, a device or a pipe"):
        list_sources(["pipe.csv"])


def test_a_txt_list(folder):
    (folder / "list.txt").write_text("in/b9.png\n# no\nin/sub\n")
    assert [source.name for source in list_sources(["list.txt"])[0]] == ["in/b9.png", "in/sub/film.mp4"]


@pytest.mark.parametrize(
    ("content", "said"),
    [("a,b\n1,2\n", "a column `source`"), ("", "a column `source`"), ("source\nb9.png,2,3\n", "more cells"),
     ("source,room,room\nb9.png,2,3\n", "names a column twice"),
     (b"source\n\xff\xfe\n", "no UTF-8 or UTF-16 text"), ("source\n\"b\0.mp4\"\n", r"list\.csv:2 holds a zero byte")],
)  # fmt: skip
def test_tables_that_are_none_are_refused(folder, content, said):
    path = folder / "in" / "list.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=said):
        list_sources([str(path)])


def test_a_row_without_a_source_is_refused_and_one_that_is_missing_is_a_failure_of_its_own(folder):
    path = folder / "in" / "list.csv"
    path.write_text("room,source\n1,b9.png\n2, \n")
    with pytest.raises(UserError, match=r"list\.csv:3 names no source"):
        list_sources([str(path)])
    path.write_text("room,source\n1,b9.png\n2,gone.mp4\n")
    assert [os.path.basename(source.path) for source in list_sources([str(path)])[0]] == ["b9.png", "gone.mp4"]


def test_crops_of_the_results_are_no_sources(folder):
    write_picture(folder / "in" / "out" / "_crops" / "a-1" / "0_0.png", scene(0))
    write_picture(folder / "in" / "other" / "_crops" / "0_0.png", scene(0))
    assert len(list_sources(["in"])[0]) == 5
    for results in ("in/out", "in/../in/out/"):
        assert "in/out/_crops/a-1/0_0.png" not in {s.name for s in list_sources(["in"], results=results)[0]}
        assert len(list_sources(["in"], results=results)[0]) == 4
    (folder / "link").symlink_to("in")
    for name, results in (("link", "in/out"), ("in", "link/out"), ("in", f"file://{folder}/link/out")):
        assert len(list_sources([name], results=results)[0]) == 4


def test_what_is_not_there_is_refused(folder):
    for name in ("missing.mp4", "missing/", "file:///missing"):
        with pytest.raises(UserError, match=r"there is no film|there is no file"):
            list_sources([name])


@pytest.mark.parametrize("start", ["file://", "file://localhost", "FILE://"])
def test_an_address_on_this_machine_is_the_path_that_it_is(folder, start):
    (folder / "in").rename(folder / "in two")
    (folder / "list.csv").write_text(f"source\n{start}{folder}/in%20two/b9.png\n")
    (sources, _, _), (listed, _, _) = list_sources([f"{start}{folder}/in%20two/"]), list_sources(["list.csv"])
    assert [source.path for source in sources] == [
        f"{folder}/in two/{n}" for n in ("b9.png", "b10.png", "sub/film.mp4")
    ]
    assert listed == sources[:1]


def test_addresses(folder, monkeypatch):
    bucket = pyarrow.fs.SubTreeFileSystem(str(folder), pyarrow.fs.LocalFileSystem())
    monkeypatch.setattr(
        "pipeline.archive.sources.open_place", lambda address: (bucket, address.removeprefix("s3://").rstrip("/"))
    )
    sources, _, _ = list_sources(["s3://in/"])
    assert [source.name for source in sources] == [f"s3://in/{n}" for n in ("b9.png", "b10.png", "sub/film.mp4")]
    film = sources[2]
    assert version_of(film.path).size == 2
    with local_copy(film.path) as copy:
        assert copy.endswith(".mp4")
        with open(copy, "rb") as file:
            assert file.read() == b"12"
    assert not os.path.exists(copy)
    assert sha256_of(film.path) == hashlib.sha256(b"12").hexdigest()
    assert film.listed == version_of(film.path)
    (folder / "list.txt").write_text("in\n")
    with pytest.raises(UserError, match="is a list; lists are read from this machine"):
        list_sources(["s3://list.txt"])


def test_copying_what_lies_at_an_address_is_a_sign_of_life(folder):
    (folder / "large.mp4").write_bytes(bytes(3 * CHUNK))
    signs = []
    with local_copy(f"file://{folder}/large.mp4", alive=lambda: signs.append(1)):
        assert len(signs) == 3


def test_a_password_is_in_no_name(folder, monkeypatch):
    monkeypatch.setattr(
        "pipeline.archive.sources.open_place", lambda address: (pyarrow.fs.LocalFileSystem(), f"{folder}/in/b9.png"[1:])
    )
    monkeypatch.chdir("/")
    (source,) = list_sources([f"s3://user:secret@{folder}/in/b9.png?endpoint_override=x".replace("@/", "@")])[0]
    assert "secret" not in source.name
    assert "endpoint" not in source.name
    assert "secret" in source.path
    assert source.place == source.name


def test_changes_are_seen(folder):
    before = version_of(str(folder / "in" / "b9.png"))
    assert before == version_of(str(folder / "in" / "b9.png"))
    os.utime(folder / "in" / "b9.png", ns=(5, 5))
    assert version_of(str(folder / "in" / "b9.png")) != before
    assert version_of(str(folder / "gone")) is None
    assert sha256_of(str(folder / "gone")) == ""


def test_a_path_that_leaves_a_link_is_the_one_that_the_system_would_open(folder):
    write_picture(folder / "data" / "photos" / "a.png", scene(0))
    (folder / "data" / "lists").mkdir()
    (folder / "data" / "lists" / "today.txt").write_text("../photos/a.png\n")
    (folder / "work").mkdir()
    (folder / "work" / "lists").symlink_to("../data/lists")
    ((source,), _, _) = list_sources(["work/lists/today.txt"])
    assert source.path == str(folder / "data" / "photos" / "a.png")


def test_a_source_that_is_listed_twice_with_other_columns_is_said(folder):
    (folder / "in" / "list.csv").write_text("source,room\nb9.png,1\nb9.png,2\nb10.png,1\nb10.png,1\n")
    sources, _, notes = list_sources(["in/list.csv"])
    assert [source.own for source in sources] == [("1",), ("1",)]
    assert notes == ["in/b9.png is listed twice with different columns; the first ones count."]


def test_a_path_that_begins_upwards_keeps_its_name(folder, monkeypatch):
    (folder / "work").mkdir()
    monkeypatch.chdir(folder / "work")
    ((source,), _, _) = list_sources(["../in/b9.png"])
    assert (source.name, source.path) == ("../in/b9.png", str(folder / "in" / "b9.png"))
