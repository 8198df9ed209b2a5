"""The folder of results: what is done is not done again, what changed is, nothing is lost and nothing is twice."""

from __future__ import annotations

import os
from dataclasses import replace

import pandas as pd
import pytest
from helpers.archives import ColourAnalysis, analyse, pictures, plain, scene, write_picture, write_scenes

from pipeline.archive import units
from pipeline.archive.results.dataset import Dataset
from pipeline.archive.sources import Source
from pipeline.archive.units import Unit, units_of
from pipeline.archive.worker import Worker
from support import FAILED, UserError

OWN = ColourAnalysis(columns=("room",))


def test_what_is_done_is_skipped_and_what_changed_is_read_anew(tmp_path):
    place, sources = str(tmp_path / "out"), pictures(tmp_path, 5)
    with Dataset(place, OWN) as dataset:
        assert analyse(dataset, sources, place=place) == 5
        before = pd.read_parquet(place)
        assert analyse(dataset, sources, place=place) == 0
        os.utime(sources[1].path, ns=(1, 1))  # touched, not changed
        assert analyse(dataset, sources, place=place) == 0
        write_picture(tmp_path / "3.png", plain((90, 90, 90)))
        assert analyse(dataset, sources, place=place) == 1
        after = pd.read_parquet(place)
        assert analyse(dataset, sources, place=place) == 0
    assert before.source.value_counts().to_dict() == {f"{i}.png": 3 for i in range(5)}
    assert after.source.value_counts().to_dict() == {f"{i}.png": 3 for i in (0, 1, 2, 4)} | {"3.png": 1}
    kept = after[after.source != "3.png"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before[before.source != "3.png"].reset_index(drop=True), check_dtype=False)


def test_other_values_of_own_columns_replace_rows(tmp_path):
    place = str(tmp_path / "out")
    with Dataset(place, OWN) as dataset:
        analyse(dataset, pictures(tmp_path, 2), place=place)
        assert analyse(dataset, pictures(tmp_path, 2, room="2"), place=place) == 2
        assert set(pd.read_parquet(place).room) == {"2"}
        assert len(pd.read_parquet(place)) == 6


def test_new_sources_join_and_old_ones_stay(tmp_path):
    place, sources = str(tmp_path / "out"), pictures(tmp_path, 4)
    with Dataset(place, OWN) as dataset:
        analyse(dataset, sources[:2], place=place)
        assert analyse(dataset, sources[1:], place=place) == 2
    assert sorted(pd.read_parquet(place).source.unique()) == [f"{i}.png" for i in range(4)]


def test_rows_that_are_there_twice_go_and_damaged_parts_are_done_again(tmp_path):
    place, sources = str(tmp_path / "out"), pictures(tmp_path, 3)
    with Dataset(place, OWN) as dataset:
        worker = Worker(OWN, place)
        worker(Unit(tuple(sources)))
        worker(Unit(tuple(sources[1:])))  # as a process of a killed run may do beside a new run
        assert len(pd.read_parquet(place)) == 15
        (tmp_path / "out" / "faces" / ".part-1.parquet.partial-host-1-1").write_bytes(b"half")
        dataset.tidy()
        assert len(pd.read_parquet(place)) == 9
        assert not list((tmp_path / "out" / "faces").glob(".*"))
        for path in (tmp_path / "out" / "faces").iterdir():
            path.write_bytes(path.read_bytes()[:-20])
        assert analyse(dataset, sources, place=place) == 3
        assert len(pd.read_parquet(place)) == 9


def test_other_settings_and_a_second_run_are_refused(tmp_path):
    place = str(tmp_path / "out")
    with Dataset(place, OWN), pytest.raises(UserError, match="another run is at work"), Dataset(place, OWN):
        pass
    with Dataset(place, OWN) as dataset:
        analyse(dataset, pictures(tmp_path, 1), place=place)
    other = ColourAnalysis(columns=("room",), conf=0.9)
    with pytest.raises(UserError, match=r"other settings \(conf 0\.\d+, now 0\.9\)"), Dataset(place, other):
        pass
    (tmp_path / "other" / "faces").mkdir(parents=True)
    (tmp_path / "other" / "faces" / "x.parquet").write_bytes(b"")
    with pytest.raises(UserError, match="something else"), Dataset(str(tmp_path / "other"), OWN):
        pass


def test_settings_of_a_run_that_came_to_nothing_give_way(tmp_path):
    place, other = str(tmp_path / "out"), ColourAnalysis(columns=("room",), conf=0.9)
    with Dataset(place, OWN):
        pass
    with Dataset(place, other) as dataset:
        assert dataset.store.read_json("_settings.json") == other.described()
    (tmp_path / "out" / ".stretches" / "a").mkdir(parents=True)
    with pytest.raises(UserError, match="other settings"), Dataset(place, OWN):
        pass


def test_ones_own_files_among_the_results_stay(tmp_path):
    place, analysis = str(tmp_path / "out"), replace(OWN, heatmaps="gradcam")
    own = [tmp_path / "out" / name for name in ("faces/mine.csv", "faces/.hidden", "_heatmaps/mine.parquet")]
    with Dataset(place, analysis) as dataset:
        analyse(dataset, pictures(tmp_path, 1), place=place)
        for path in own:
            path.write_bytes(b"mine")
        assert analyse(dataset, pictures(tmp_path, 1), place=place) == 0
    assert [path.read_bytes() for path in own] == 3 * [b"mine"]


def test_sources_of_the_same_name_keep_their_own_rows(tmp_path, monkeypatch):
    """Bytes that are no text, and the text that stands for them."""
    monkeypatch.setattr(units, "UNITS", 1)  # else they would not be in one because they are few
    place = str(tmp_path / "out")
    paths = [write_picture(tmp_path / name, scene(0)) for name in ("\udcff.png", "\\xff.png")]
    sources = [Source(str(path), "\\xff.png", True, ("1",)) for path in paths]
    with Dataset(place, OWN) as dataset:
        assert analyse(dataset, sources, place=place) == 2
        write_picture(paths[0], plain((90, 90, 90)))
        assert analyse(dataset, sources, place=place) == 1
    assert sorted(pd.read_parquet(place).face.fillna(-1)) == [-1, 0, 1, 2]


@pytest.mark.parametrize("content", ['{"a": 1', "[]", "null", "[" * 100_000], ids=range(4))
def test_settings_that_are_damaged_are_said(tmp_path, content):
    with Dataset(str(tmp_path), OWN):
        pass
    (tmp_path / "_settings.json").write_text(content)
    with pytest.raises(UserError, match=r"_settings\.json is damaged"), Dataset(str(tmp_path), OWN):
        pass


@pytest.mark.parametrize("columns", [("frame",), ("p_happiness",), ("x", "x"), ("kind",), ("seconds",)])
def test_own_columns_with_names_that_are_taken_are_refused_before_the_work(tmp_path, columns):
    with pytest.raises(UserError, match="give it another"):
        Dataset(str(tmp_path / "out"), ColourAnalysis(columns=columns))
    assert not (tmp_path / "out").exists()


def test_crops_of_a_source_that_changed_go(tmp_path):
    place, analysis = str(tmp_path / "out"), ColourAnalysis(crops=True)
    sources = [Source(str(write_picture(tmp_path / f"{i}.png", scene(7 * i))), f"{i}.png", True) for i in range(2)]
    with Dataset(place, analysis) as dataset:
        analyse(dataset, sources, place=place)
        assert len(list((tmp_path / "out" / "_crops").rglob("*.png"))) == 6
        write_picture(tmp_path / "1.png", plain((90, 90, 90)))
        assert analyse(dataset, sources, place=place) == 1
    assert [path.parent.name[:5] for path in (tmp_path / "out" / "_crops").rglob("*.png")] == 3 * ["0.png"]


def test_crops_that_cannot_be_written_are_no_fault_of_the_source(tmp_path):
    place, sources = str(tmp_path / "out"), pictures(tmp_path, 2)
    analysis = replace(OWN, crops=True)
    with Dataset(place, analysis) as dataset:
        (tmp_path / "out" / "_crops").touch()
        with pytest.raises(UserError, match=r"cannot write .*_crops") as error:
            analyse(dataset, sources, place=place)
        assert error.value.exit_code == FAILED
        (tmp_path / "out" / "_crops").unlink()
        assert analyse(dataset, sources, place=place) == 2
    assert pd.read_parquet(place).problem.isna().all()


def test_the_table_of_sources(tmp_path):
    place, sources = str(tmp_path / "out"), pictures(tmp_path, 2)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no")
    crashed = Source(str(tmp_path / "\udcff.png"), "?.png", True, ("9",))  # a name that is no UTF-8
    with Dataset(place, OWN) as dataset:
        analyse(dataset, [*sources, Source(str(bad), "bad.png", True, ("1",))], place=place)
        dataset.fail(Unit((crashed,)), "its process ended, twice")
        assert dataset.write_sources() == 2
    assert list(pd.read_parquet(place).groupby("source").problem.first().dropna().index) == ["?.png", "bad.png"]
    table = pd.read_parquet(f"{place}/_sources.parquet").set_index("source").sort_index()
    assert list(table.index) == ["0.png", "1.png", "?.png", "bad.png"]
    assert list(table.failed) == [False, False, True, True]
    assert list(table.faces) == [3, 3, 0, 0]
    assert list(table.room) == ["1", "1", "9", "1"]
    assert table.problem["?.png"] == "its process ended, twice"
    assert set(table.settings) == {dataset.settings}
    assert table.bytes["0.png"] == os.path.getsize(sources[0].path)


@pytest.mark.thorough
def test_crops_that_a_killed_run_left_of_another_film_go(tmp_path):
    analysis = ColourAnalysis(crops=True, stretch_s=25)
    path = write_scenes(tmp_path / "a.mp4", 350, fps=5)
    (whole,) = units_of([(source := Source(str(path), "a.mp4", False), 1)])
    with Dataset(str(tmp_path / "out"), analysis):
        worker = Worker(analysis, str(tmp_path / "out"))
        first, *_ = worker(whole).again
        worker(first)
        kept = len(list((tmp_path / "out" / "_crops").rglob("*.png")))
        assert kept > 0
        assert worker(whole).again[0].name == first.name  # started again, the stretch is there and its crops stay
        assert len(list((tmp_path / "out" / "_crops").rglob("*.png"))) == kept
        write_scenes(path, 325, start=7, fps=5)
        assert worker(Unit((source,))).again
        assert not list((tmp_path / "out" / "_crops").rglob("*.png"))


def test_mean_heatmaps_without_rows_go(tmp_path):
    place, sources = str(tmp_path / "out"), pictures(tmp_path, 3)
    analysis = replace(OWN, heatmaps="gradcam")
    with Dataset(place, analysis) as dataset:
        worker = Worker(analysis, place)
        unit = Unit(tuple(sources))
        worker(unit)
        (tmp_path / "out" / unit.name).unlink()  # as where a run ends between the two
        assert analyse(dataset, sources[1:], place=place) == 2
        assert analyse(dataset, sources, place=place) == 1
    heatmaps = pd.read_parquet(tmp_path / "out" / "_heatmaps")
    assert sorted(heatmaps.source.unique()) == ["0.png", "1.png", "2.png"]
    assert not heatmaps.duplicated([c for c in heatmaps.columns if heatmaps[c].map(type).eq(str).all()]).any()
