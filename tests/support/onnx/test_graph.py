"""Graphs: found where they are, made where they are not, never older than the code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support import UserError
from support.onnx import graph as module
from support.onnx.graph import Graph, cache_folder, find_graph, read_graph, source_hash, write_graph

HERE = {"support/onnx/graph.py": source_hash(Path(module.__file__))}
CURRENT, STALE = Graph(b"current", {"sources": HERE}), Graph(b"stale", {"sources": {"support/onnx/graph.py": "0" * 64}})


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LIVE_EXPRESSIONS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def never() -> Graph:
    raise AssertionError("it was to be found")


def test_a_graph_comes_back_and_the_same_graph_gives_the_same_file(tmp_path):
    for name in ("a.zip", "b.zip"):
        write_graph(tmp_path / name, CURRENT)
    found = read_graph(tmp_path / "a.zip")
    assert (found.model, found.about) == (CURRENT.model, CURRENT.about)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_damaged_file_is_none(tmp_path):
    path = tmp_path / "g.zip"
    assert read_graph(path) is None
    write_graph(path, CURRENT)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(b"about.json") + 20] ^= 1
    for content in (b"", b"no zip", whole[:-40], bytes(flipped)):
        path.write_bytes(content)
        assert read_graph(path) is None


def test_it_is_made_once_and_then_kept(tmp_path, cache):
    made = []
    for _ in range(2):
        found = find_graph("g", shipped=tmp_path / "shipped", make=lambda: made.append(1) or CURRENT)
        assert found.model == b"current"
    assert len(made) == 1
    assert [path.name for path in cache.iterdir()] == ["g.zip"]


def test_a_shipped_one_comes_first_and_touches_no_cache(tmp_path, cache):
    write_graph(tmp_path / "g.zip", CURRENT)
    assert find_graph("g", shipped=tmp_path, make=never).model == b"current"
    assert not cache.exists()


def test_one_that_has_fallen_behind_the_code_is_made_anew(tmp_path, cache):
    write_graph(tmp_path / "g.zip", STALE)
    write_graph(cache / "g.zip", STALE)
    assert find_graph("g", shipped=tmp_path, make=lambda: CURRENT).model == b"current"
    assert find_graph("g", shipped=tmp_path, make=never).model == b"current"
    assert not Graph(b"", {"sources": {"support/no_such_file.py": "0"}}).is_current()


def test_without_a_cache_it_works_and_says_so(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIVE_EXPRESSIONS_CACHE", str(tmp_path / "file" / "folder"))
    assert find_graph("g", shipped=tmp_path, make=lambda: CURRENT) is CURRENT
    assert "is not kept for the next start" in capsys.readouterr().err


def test_without_the_package_that_makes_it_one_sentence(tmp_path, cache):
    def make():
        raise ImportError("No module named 'onnx'")

    with pytest.raises(UserError, match="pip install onnx"):
        find_graph("g", shipped=tmp_path, make=make)


def test_line_endings_are_no_change(tmp_path):
    (tmp_path / "unix.py").write_bytes(b"a\nb\n")
    (tmp_path / "dos.py").write_bytes(b"a\r\nb\r\n")
    assert source_hash(tmp_path / "unix.py") == source_hash(tmp_path / "dos.py") is not None


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/live-expressions"),
        ("linux", {"HOME": "/home/a"}, "/home/a/.cache/live-expressions"),
        ("darwin", {"HOME": "/Users/a"}, "/Users/a/Library/Caches/live-expressions"),
        ("win32", {"LOCALAPPDATA": "/L"}, "/L/live-expressions"),
        ("linux", {"LIVE_EXPRESSIONS_CACHE": "/own", "XDG_CACHE_HOME": "/x"}, "/own"),
    ],
)
def test_the_cache_is_where_the_system_keeps_such_things(monkeypatch, platform, variables, expected):
    for name in ("LIVE_EXPRESSIONS_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == Path(expected)
