"""Files that are complete or not there, and those that grow for long under a name that tells so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

import pytest
from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

from support import UserError, atomic_write
from support.files import PartialFile, left_behind, temporary_folder, write_file, write_json


def test_the_file_appears_at_the_end_with_its_content(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_write(path) as temporary:
        assert temporary.suffix == ".txt"
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_an_error_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path):
    blocker = tmp_path / "file"
    blocker.touch()
    with pytest.raises(UserError, match="cannot write"), atomic_write(blocker / "a.txt"):
        pass
    with pytest.raises(UserError, match="cannot write") as error:
        PartialFile(blocker / "a.txt")
    assert error.value.exit_code == 1
    assert os.listdir(tmp_path) == ["file"]


def test_a_text_or_bytes_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "a.txt"
    write_file(path, "ä\n")
    assert path.read_bytes() == b"\xc3\xa4\n"
    write_file(path, b"\xff")

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", full)
    with pytest.raises(UserError, match=r"cannot write .*a\.txt: No space left on device") as error:
        write_file(path, "more")
    assert error.value.exit_code == 1
    assert path.read_bytes() == b"\xff"
    assert list(path.parent.iterdir()) == [path]


def test_names_as_long_as_a_file_system_takes(tmp_path):
    name = "ä" * 125 + ".txt"  # 254 bytes
    with atomic_write(tmp_path / name) as temporary:
        temporary.touch()
    PartialFile(tmp_path / name).finish()
    assert os.listdir(tmp_path) == [name]


def test_a_growing_file_has_a_name_that_tells_so_and_replaces_the_old_one_at_the_end(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    growing = PartialFile(tmp_path / "a.txt")
    growing.file.write(b"new")
    assert (tmp_path / "a.partial.txt").read_text() == "new"  # nothing waits in a buffer
    assert (tmp_path / "a.txt").read_text() == "old"
    assert growing.finish() == tmp_path / "a.txt"
    assert (tmp_path / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_two_programs_that_write_one_file_do_not_lose_a_byte(tmp_path):
    first, second, third = (PartialFile(tmp_path / "a.txt") for _ in range(3))
    first.file.write(b"first")
    second.file.write(b"second")
    assert [first.finish().name, second.finish().name] == ["a.txt", "a-2.txt"]
    third.discard()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "first", "a-2.txt": "second"}


def test_a_link_is_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("elsewhere/a.txt")
    growing = PartialFile(tmp_path / "link.txt")
    growing.file.write(b"new")
    growing.finish()
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "elsewhere" / "a.txt").read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="an open file stays there")
def test_a_growing_file_that_goes_away_is_told_and_one_that_cannot_be_renamed_is_named(tmp_path):
    growing = PartialFile(tmp_path / "new" / "a.txt")
    shutil.rmtree(tmp_path / "new")
    with pytest.raises(UserError, match=r"a\.partial\.txt is gone: .* no a\.txt") as error:
        growing.finish()
    assert error.value.exit_code == 1
    (tmp_path / "b.txt").mkdir()
    growing = PartialFile(tmp_path / "b.txt")
    with pytest.raises(UserError, match=r"b\.partial\.txt is complete but cannot be renamed to b"):
        growing.finish()
    assert (tmp_path / "b.partial.txt").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_what_a_killed_program_left_is_found_and_what_a_running_one_writes_is_not(tmp_path):
    code = f"""
import os, pathlib, signal
from support import atomic_write
from support.files import PartialFile
growing = PartialFile({str(tmp_path / "a[1].txt")!r})
growing.file.write(b"kept")
with atomic_write({str(tmp_path / "b.txt")!r}):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=PATIENCE_S, check=False)
    running = PartialFile(tmp_path / "a[1].txt")
    assert running.partial.name == "a[1].partial-2.txt"
    (tmp_path / "another.txt").touch()
    assert left_behind(tmp_path, "a[1].txt") == [tmp_path / "a[1].partial.txt"]
    assert len(left_behind(tmp_path, "b.txt")) == 1
    assert len(left_behind(tmp_path)) == 2
    assert left_behind(tmp_path, "a1.txt") == left_behind(tmp_path, "a[1].csv") == []
    running.finish()
    assert (tmp_path / "a[1].partial.txt").read_text() == "kept"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_whole_file_is_written_where_a_link_points_and_over_no_folder_or_pipe(tmp_path):
    (tmp_path / "there").mkdir()
    target, link, pipe = tmp_path / "there" / "a.txt", tmp_path / "a.txt", tmp_path / "pipe"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_write(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path / "there"):
        with pytest.raises(UserError, match="is a folder, a device or a pipe"), atomic_write(path):
            pass
    assert pipe.is_fifo()


def test_a_whole_file_that_is_being_written_was_not_left_behind(tmp_path):
    with atomic_write(tmp_path / "a.txt") as temporary:
        assert left_behind(tmp_path) == []
    (tmp_path / temporary.name).touch()
    assert left_behind(tmp_path) == [tmp_path / temporary.name]


def test_a_new_file_is_as_the_umask_says_and_one_that_is_replaced_stays_as_private(tmp_path):
    before = os.umask(0o077)
    try:
        write_json({}, tmp_path / "new.json")
    finally:
        os.umask(before)
    (tmp_path / "old.json").touch(mode=0o600)
    write_json({}, tmp_path / "old.json")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("new.json", "old.json")] == [0o600, 0o600]


def test_a_temporary_folder_that_a_killed_program_left_goes_and_one_in_use_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed = "import os, sys; from support.files import temporary_folder as t\nwith t('films-'): os._exit(9)"
    subprocess.run([sys.executable, "-c", killed], cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)})
    (left,) = tmp_path.iterdir()
    with temporary_folder("films-") as first, temporary_folder("films-") as second:
        assert sorted(map(str, tmp_path.iterdir())) == sorted([first, second])
    assert left.parent == tmp_path
    assert not list(tmp_path.iterdir())
