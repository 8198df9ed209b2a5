"""The static folder: complete, the same for the same inputs, and never over somebody's files."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

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
    advice = (folder / "README.txt").read_text(encoding="utf-8")
    assert len(advice.splitlines()) == 3
    assert "Cloudflare" not in advice  # its Pages take 25 MiB a file at most; the runtime for a GPU is larger
    assert json.loads((folder / "about.json").read_text(encoding="utf-8")) == json.loads(json.dumps(about()))


def test_it_is_written_over_its_own_folder_and_over_no_other(small):
    folder = export(small / "site")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    (folder / "page.js").write_text("old")
    assert export(folder) == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    (folder / ".DS_Store").write_bytes(b"of a look into it on a Mac")
    (folder / "gone.js").write_text("of an earlier version")
    (folder / "precache.js").write_text('self.PRECACHE = {"version": "1", "files": ["./", "gone.js"]};\n')
    export(folder)
    assert not (folder / "gone.js").exists()
    assert not (folder / ".DS_Store").exists()
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


def test_a_folder_that_cannot_be_put_in_its_place_leaves_the_one_before(small, monkeypatch):
    folder = export(small / "site")
    (folder / "page.js").write_text("old")
    rename = Path.rename

    def fail_for_the_new(path: Path, target: Path) -> Path:
        if path.name == "site" and target == folder:  # not where the one before comes back
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new)
    with pytest.raises(UserError, match="Permission denied"):
        export(folder)
    assert (folder / "page.js").read_text() == "old"
    assert not list(small.glob(".*"))


def test_what_editors_and_file_managers_leave_is_no_part_of_the_page(small, tmp_path, monkeypatch):
    """The server would not give it, and without one of its files nothing is kept for use offline."""
    before = site_files()
    page = shutil.copytree(module.PAGE, tmp_path / "page")
    (page / ".history").mkdir()
    for name in (".DS_Store", "page.js~", ".sw.js.swp", "app/.DS_Store", "app/._keys.js", ".history/page.js"):
        (page / name).write_bytes(b"x")
    monkeypatch.setattr(module, "PAGE", page)
    after = site_files()
    assert after.keys() == before.keys()
    assert after["precache.js"] == before["precache.js"]


def test_whoever_publishes_the_folder_passes_on_its_licences(small):
    text = (export(small / "site") / "LICENSES.txt").read_text(encoding="utf-8")
    ours = (ROOT / "LICENSE").read_text(encoding="utf-8")
    permission = ours[ours.index("Permission is hereby granted") :]
    assert ours in text
    assert text.count(permission) == 2
    assert "Copyright (c) Microsoft Corporation" in text
    assert f"onnxruntime/blob/v{about()['versions']['onnxruntime_web']}/ThirdPartyNotices.txt" in text


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
    kinds = {path.suffix for path in (ROOT / "web" / "page").rglob("[!.]*") if path.is_file()}
    assert kinds <= {".js", ".html", ".css", ".svg", ".webmanifest"}


def test_the_icon_is_not_given_for_a_mask():
    """Its corners are see-through, and its brackets reach out of the inner four fifths that a mask leaves."""
    manifest = json.loads((ROOT / "web" / "page" / "manifest.webmanifest").read_text(encoding="utf-8"))
    assert [icon["purpose"] for icon in manifest["icons"]] == ["any"]
