"""Folders of crops."""

from __future__ import annotations

from pipeline.archive.results.crops import LONGEST, Crops
from pipeline.archive.results.store import Store
from pipeline.archive.sources import Source


def test_each_source_has_a_folder_of_its_own_with_a_name_that_every_system_takes(tmp_path):
    store = Store(str(tmp_path))
    paths = ["/a/x y?.png", "/b/x y?.png", "/../..", "/" + 300 * "n", "/\udcff.png"]
    folders = [Crops(store, Source(path, path[1:], True)).folder for path in paths]
    assert len(set(folders)) == len(paths)
    for folder in folders:
        start, _, name = folder.partition("/")
        assert start == "_crops"
        assert "/" not in name
        assert not name.startswith("..")
        assert name.isascii()
        assert len(name) <= LONGEST + 9
