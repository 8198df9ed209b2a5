"""The static folder: complete, the same for the same inputs, and never over somebody's files."""

from __future__ import annotations

import json
import re

import cv2
import numpy as np
import pytest
from helpers.paths import ROOT

from support import UserError
from web import export as module
from web.about import about
from web.export import HEADERS, POLICY, export, site_files


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The site without onnxruntime-web, which is large and may not be there."""
    runtime = tmp_path / "ort.wasm.min.mjs"
    runtime.write_text("export {};")
    monkeypatch.setattr(module, "runtime_files", lambda: [runtime])
    return tmp_path


def test_the_folder_holds_what_the_page_asks_for(small):
    folder = export(small / "site")
    sources = [path for path in folder.rglob("*.js") if path.name != "precache.js"]
    for path in sources:
        for name in re.findall(r'(?:from|import) "(\.[^"]+)"', path.read_text(encoding="utf-8")):
            assert (path.parent / name).is_file(), f"{path} imports {name}"
    page = (folder / "index.html").read_text(encoding="utf-8")
    for name in re.findall(r'(?:href|src)="([^"]+)"', page):
        assert (folder / name).is_file(), name
    kept = json.loads((folder / "precache.js").read_text().removeprefix("self.PRECACHE = ").rstrip(";\n"))["files"]
    assert all((folder / name).exists() for name in kept)
    assert len((folder / "README.txt").read_text(encoding="utf-8").splitlines()) == 3
    assert json.loads((folder / "about.json").read_text(encoding="utf-8")) == json.loads(json.dumps(about()))


def test_it_is_written_over_its_own_folder_and_over_no_other(small):
    folder = export(small / "site")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    (folder / "page.js").write_text("old")
    assert export(folder) == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    (folder / "gone.js").write_text("of an earlier version")
    (folder / "precache.js").write_text('self.PRECACHE = {"version": "1", "files": ["./", "gone.js"]};\n')
    export(folder)
    assert not (folder / "gone.js").exists()
    (folder / ".git").mkdir()  # a repository that hosts it
    with pytest.raises(UserError, match="site holds files that are not of the page"):
        export(folder)
    assert (folder / ".git").is_dir()
    other = small / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("mine")
    with pytest.raises(UserError, match="thesis holds files that are not of the page"):
        export(other)
    with pytest.raises(UserError, match="is a file; name another place"):
        export(other / "chapter.txt")
    assert (other / "chapter.txt").read_text() == "mine"
    assert not list(small.glob(".*"))  # nothing temporary stays


def test_a_failure_leaves_the_folder_as_it_was(small, monkeypatch):
    folder = export(small / "site")
    monkeypatch.setattr(module, "write_files", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(UserError, match="No space left on device; name another place"):
        export(folder)
    assert (folder / "index.html").is_file()
    assert not list(small.glob(".*"))


def test_the_policy_allows_this_origin_alone(small):
    assert POLICY["connect-src"] == POLICY["default-src"] == "'self'"
    assert POLICY["script-src"] == "'self' 'wasm-unsafe-eval'"
    page = site_files()["index.html"].decode()
    assert "unsafe-inline" not in page + str(HEADERS)
    assert "connect-src 'self'" in page  # for hosts that set no headers
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page)
    assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", page)


def test_the_sample_is_made_of_the_prints(small):
    files = site_files()
    wall = cv2.imdecode(np.frombuffer(files["sample/wall.webp"], np.uint8), cv2.IMREAD_COLOR)
    assert wall.shape == (480, 640, 3)
    for photo in about()["sample"]["photos"]:
        picture = cv2.imdecode(np.frombuffer(files[photo["file"]], np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture.shape[2] == 4
        assert picture[0, 0, 3] < 40  # see-through outside of the print
        assert (picture[..., 3] == 255).mean() > 0.4


def test_no_picture_of_a_person_is_in_the_page_folder():
    kinds = {path.suffix for path in (ROOT / "web" / "page").rglob("*") if path.is_file()}
    assert kinds <= {".js", ".html", ".css", ".svg", ".webmanifest"}
