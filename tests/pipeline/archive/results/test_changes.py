"""What was done and has since been touched, moved, changed or taken away."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import replace

import pandas as pd
import pytest
from helpers.archives import ColourAnalysis, analyse, pictures, plain, scene, write_picture

from pipeline.archive import units
from pipeline.archive.results import changes
from pipeline.archive.results.dataset import Dataset
from pipeline.archive.results.store import Store
from pipeline.archive.sources import Source, sha256_of

OWN = ColourAnalysis(columns=("room",))
KEYS = ["source", "face"]


def until(left, function):
    """The function, which ends the process where nothing is left."""

    def ending(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return function(*arguments)

    return ending


def test_rows_of_a_disk_that_is_not_there_stay(tmp_path):
    place, sources = str(tmp_path / "out"), pictures(tmp_path / "disk", 2)
    with Dataset(place, OWN) as dataset:
        assert analyse(dataset, sources, place=place) == 2
        before = pd.read_parquet(place)
        (tmp_path / "disk").rename(tmp_path / "unmounted")
        assert analyse(dataset, [replace(source, own=("2",)) for source in sources], place=place) == 0
        assert pd.read_parquet(place).equals(before)
        never = Source(str(tmp_path / "disk" / "never.png"), "never.png", True, ("1",))
        assert analyse(dataset, [*sources, never], place=place) == 1
        assert dataset.write_sources() == 1  # it was never there: a failure, and tried again
        assert analyse(dataset, [*sources, never], place=place) == 1
        (tmp_path / "unmounted").rename(tmp_path / "disk")
        assert analyse(dataset, sources, place=place) == 0


def test_a_touched_source_is_read_once_to_see_that_it_is_the_same(tmp_path, monkeypatch):
    place, sources, sums = str(tmp_path / "out"), pictures(tmp_path, 3), []
    monkeypatch.setattr(changes, "sha256_of", lambda path: (sums.append(path), sha256_of(path))[1])
    with Dataset(place, OWN) as dataset:
        analyse(dataset, sources, place=place)
        before = pd.read_parquet(place)
        os.utime(sources[1].path, ns=(1, 1))
        for _ in range(3):
            assert analyse(dataset, sources, place=place) == 0
        assert sums == [sources[1].path]
        assert pd.read_parquet(place).equals(before)


def test_a_source_that_cannot_be_read_for_a_moment_keeps_its_rows_until_it_can(tmp_path, monkeypatch):
    place, sources = str(tmp_path / "out"), pictures(tmp_path, 1)
    with Dataset(place, OWN) as dataset:
        analyse(dataset, sources, place=place)
        size = os.path.getsize(sources[0].path)
        (tmp_path / "0.png").write_bytes(bytes(size))  # another content, as long as the one before
        with monkeypatch.context() as patched:
            patched.setattr(changes, "sha256_of", lambda path: "")
            assert dataset.remaining(sources) == []
        assert dataset.remaining(sources) == [(sources[0], size)]


def test_sources_that_were_moved_keep_their_rows(tmp_path):
    place = str(tmp_path / "out")
    (tmp_path / "here").mkdir()
    with Dataset(place, OWN) as dataset:
        assert analyse(dataset, pictures(tmp_path / "here", 3), place=place) == 3
        before = pd.read_parquet(place)
        shutil.copytree(tmp_path / "here", tmp_path / "there")
        there = pictures(tmp_path / "there", 3)
        assert [source.name for source, _ in dataset.remaining(there)] == ["0.png", "1.png", "2.png"]  # copies
        shutil.rmtree(tmp_path / "here")
        write_picture(tmp_path / "there" / "1.png", plain((90, 90, 90)))
        assert [source.name for source, _ in dataset.remaining(there)] == ["1.png"]  # another picture
        after = pd.read_parquet(place).sort_values(KEYS, ignore_index=True)
        pd.testing.assert_frame_equal(after, before.sort_values(KEYS, ignore_index=True))
        dataset.write_sources()
    folders = [os.path.basename(os.path.dirname(path)) for path in pd.read_parquet(f"{place}/_sources.parquet").path]
    assert sorted(folders) == ["here", "there", "there"]


@pytest.mark.parametrize("count", [1, 2])
def test_another_source_where_a_moved_one_lay_leaves_it_its_rows(tmp_path, monkeypatch, count):
    monkeypatch.setattr(units, "UNITS", 1)  # both in one part
    place, analysis = str(tmp_path / "out"), replace(OWN, heatmaps="gradcam", crops=True)
    with Dataset(place, analysis) as dataset:
        analyse(dataset, pictures(tmp_path / "here", count), place=place)
        before = pd.read_parquet(place)
        (tmp_path / "here").rename(tmp_path / "there")
        there = pictures(tmp_path / "there", count)
        assert analyse(dataset, there, place=place) == 0
        here = pictures(tmp_path / "here", count)
        for source in here:
            write_picture(tmp_path / "here" / source.name, scene(50))
        assert analyse(dataset, here, place=place) == count
        assert analyse(dataset, there, place=place) == analyse(dataset, here, place=place) == 0
    after = pd.read_parquet(place)
    assert len(after) == 2 * len(before)
    assert before.merge(after).shape == before.shape
    assert len(pd.read_parquet(f"{place}/_heatmaps")) == len(after)
    assert len(list((tmp_path / "out" / "_crops").rglob("*.png"))) == len(after)


@pytest.mark.parametrize("calls", range(7))  # of three crops, and of four that are about the part
def test_a_run_that_ends_while_a_moved_source_is_renamed_loses_nothing(tmp_path, monkeypatch, calls):
    place, analysis = str(tmp_path / "out"), replace(OWN, heatmaps="gradcam", crops=True)
    with Dataset(place, analysis) as dataset:
        analyse(dataset, pictures(tmp_path / "here", 1), place=place)
        files = {path: path.read_bytes() for path in (tmp_path / "out" / "_crops").rglob("*.png")}
        before = [pd.read_parquet(place), pd.read_parquet(f"{place}/_heatmaps")]
        (tmp_path / "here").rename(tmp_path / "there")
        sources, left = pictures(tmp_path / "there", 1), iter(range(calls))
        with monkeypatch.context() as patched:
            for name in ("move", "write_table", "delete"):
                patched.setattr(Store, name, until(left, getattr(Store, name)))
            with contextlib.suppress(KeyboardInterrupt):
                dataset.remaining(sources)
        assert analyse(dataset, sources, place=place) == 0
        after = [pd.read_parquet(place), pd.read_parquet(f"{place}/_heatmaps")]
    for one, other in zip(before, after, strict=True):
        pd.testing.assert_frame_equal(one, other)
    crops = [path.read_bytes() for path in (tmp_path / "out" / "_crops").rglob("*.png")]
    assert sorted(crops) == sorted(files.values())
