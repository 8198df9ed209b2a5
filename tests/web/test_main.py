"""The command `python -m web`: what it prints, opens and writes."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from unittest import mock

import pytest
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

from web import __main__ as command
from web import export as exporting


def test_a_folder_is_written_and_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(exporting, "runtime_files", list)
    assert command.main(["--out", str(tmp_path / "site")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'site'}\n"
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize("flags", [[], ["--no-open"]])
def test_it_serves_prints_the_address_and_opens_the_browser(tmp_path, monkeypatch, capsys, flags):
    opened, seen = [], []

    def look_and_leave() -> None:
        address = capsys.readouterr().out.strip()
        seen.append((address, urllib.request.urlopen(address, timeout=PATIENCE_S).read()))
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "runtime_files", list)
    monkeypatch.setattr(command, "SITE", tmp_path / "site")
    monkeypatch.setattr(command.webbrowser, "open", opened.append)
    monkeypatch.setattr(command, "wait", look_and_leave)
    with pytest.raises(KeyboardInterrupt):
        command.main(["--port", "0", *flags])
    (address, page) = seen[0]
    assert address.startswith("http://127.0.0.1:")
    assert b"<title>Facial expressions</title>" in page
    assert opened == ([] if flags else [address])


def test_help_answers_without_heavy_imports():
    code = (
        "import runpy, sys\nsys.argv = ['web', '--help']\n"
        "try: runpy.run_module('web', run_name='__main__')\nexcept SystemExit: pass\n"
        "assert not {'torch', 'cv2', 'numpy'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--out FOLDER" in done.stdout


def test_waiting_ends_with_ctrl_c(monkeypatch):
    """Also on Windows, where it does not come through to who waits for a lock or an event without end."""
    monkeypatch.setattr(command.time, "sleep", mock.Mock(side_effect=[None, None, KeyboardInterrupt]))
    with pytest.raises(KeyboardInterrupt):
        command.wait()
