"""A run from sources to results, with events made by hand and with processes."""

from __future__ import annotations

import io
import os
from fractions import Fraction

import pandas as pd
import pyarrow as pa
import pytest
from helpers.archives import ColourAnalysis, scene, write_picture, write_scenes

from data.sources import pictures
from pipeline.archive.pool import Failed
from pipeline.archive.progress import Progress
from pipeline.archive.results.dataset import Dataset
from pipeline.archive.results.page import write_report
from pipeline.archive.results.store import Store, shown
from pipeline.archive.run import Account, Archive, run_archive
from pipeline.archive.sources import Source, list_sources
from pipeline.archive.stretches import Stretch
from pipeline.archive.units import Unit
from pipeline.archive.worker import Outcome, Times, Worker
from support import UserError


def in_this_process(analysis, place, *, stop_after=10**9):
    """An engine without processes."""

    def engine(units):
        worker, waiting = Worker(analysis, place), list(units)
        for _ in range(stop_after):
            if not waiting:
                return
            unit = waiting.pop(0)
            try:
                outcome = worker(unit)
            except RuntimeError as error:
                yield Failed(unit, str(error))
                continue
            waiting += outcome.again
            yield outcome

    return engine


@pytest.fixture
def sources(tmp_path):
    write_scenes(tmp_path / "in" / "long.mp4", 300, fps=5)
    for i in range(3):
        write_picture(tmp_path / "in" / f"{i}.png", scene(i))
    return list_sources([str(tmp_path / "in")])[0]


def test_a_run_that_is_stopped_goes_on(tmp_path, sources, capsys):
    analysis, place = ColourAnalysis(stretch_s=25), str(tmp_path / "out")
    whole = str(tmp_path / "whole")
    with Dataset(whole, analysis) as dataset:
        assert run_archive(sources, dataset, in_this_process(analysis, whole)) == 0
    for stop_after in (1, 2, 1):  # units a run
        with Dataset(place, analysis) as dataset, pytest.raises(KeyboardInterrupt):
            engine = in_this_process(analysis, place, stop_after=stop_after)
            run_archive(sources, dataset, engine, stop_requested=lambda: True)
    assert "this goes on: python -m pipeline.archive" in capsys.readouterr().err
    with Dataset(place, analysis) as dataset:
        assert run_archive(sources, dataset, in_this_process(analysis, place)) == 0
    keys = ["source", "frame", "face"]
    one, other = (pd.read_parquet(p).sort_values(keys, ignore_index=True) for p in (whole, place))
    assert one.equals(other)
    assert not (tmp_path / "out" / ".stretches").exists()
    assert list(pd.read_parquet(f"{place}/_sources.parquet").frames) == list(
        pd.read_parquet(f"{whole}/_sources.parquet").frames
    )


def test_a_whole_run_from_and_to_a_bucket_gives_the_rows_of_one_on_this_machine(tmp_path, sources, bucket):
    write_picture(tmp_path / "in" / "what? #1 100%20.png", scene(9))
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    films = bucket.replace("/results", "/films")
    for path in (tmp_path / "in").iterdir():
        Store(films).write_bytes(path.name, path.read_bytes())
    analysis, tables = ColourAnalysis(stretch_s=25, heatmaps="gradcam"), []
    for name, place in ((str(tmp_path / "in"), str(tmp_path / "out")), (films, bucket)):
        found = list_sources([name], results=place)[0]
        assert len(found) == 6
        with Dataset(place, analysis) as dataset:
            assert run_archive(found, dataset, in_this_process(analysis, place)) == 1
            rows = pa.concat_tables(dataset.store.read_table(part) for part, _ in dataset.parts()).to_pandas()
            page = write_report(dataset, tmp_path / "page")
            table = dataset.store.read_table("_sources.parquet").to_pandas()
            assert len(dataset.store.names("_heatmaps")) == len(dataset.store.names("faces"))
            assert not dataset.store.exists(".stretches")
            assert [source.name for source, _ in dataset.remaining(found)] == [f"{shown(name)}/bad.png"]  # it failed
        for column in ("source", "problem"):
            rows[column] = [str(text).replace(shown(name), "") for text in rows[column]]
        tables.append(rows.sort_values(["source", "frame", "face"], ignore_index=True))
        assert "long.mp4" in page.read_text()
        assert "endpoint" not in table.to_string()
    assert tables[0].equals(tables[1])


def test_sources_that_fail_are_listed_and_tried_again_by_the_next_run(tmp_path, sources, capsys):
    analysis, place = ColourAnalysis(), str(tmp_path / "out")

    def engine(units):
        for unit in units:
            for alone in unit.alone():
                if alone.sources[0].name.endswith("1.png"):
                    yield Failed(alone, "it died, twice")
                else:
                    yield Worker(analysis, place)(alone)

    with Dataset(place, analysis) as dataset:
        assert run_archive(sources, dataset, engine) == 1
        assert "1.png: it died, twice" in capsys.readouterr().err
        table = pd.read_parquet(f"{place}/_sources.parquet")
        assert list(table[table.failed].problem) == ["it died, twice"]
        others = [source for source in sources if not source.name.endswith("1.png")]
        assert run_archive(others, dataset, in_this_process(analysis, place)) == 1
        assert "1 source failed in an earlier run" in capsys.readouterr().err
        assert run_archive(sources, dataset, in_this_process(analysis, place)) == 0
        assert "3 of 4 sources are done already" in capsys.readouterr().err
    assert not pd.read_parquet(f"{place}/_sources.parquet").failed.any()


def test_what_failed_in_an_earlier_run_is_said_to_have(tmp_path, capsys):
    analysis, place = ColourAnalysis(), str(tmp_path / "out")
    write_picture(tmp_path / "in" / "a.png", scene(0))
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")

    def run() -> list[str]:
        capsys.readouterr()
        with Dataset(place, analysis) as dataset:
            found = list_sources([str(tmp_path / "in")])[0]
            assert run_archive(found, dataset, in_this_process(analysis, place)) == 1
        return capsys.readouterr().err.splitlines()

    why, again = "the column `problem` of _sources.parquet says why", "is tried again when it is named again"
    assert run()[-1] == f"1 source failed; {why}"
    first, progress, *_, last = run()
    assert (first, last) == ("1 of 2 sources is done already", f"1 source failed; {why}")
    assert progress.startswith("1 of 1 source, ")
    (tmp_path / "in" / "bad.png").rename(tmp_path / "in" / "worse.png")  # the rows of what is gone stay
    assert run()[-1] == f"2 sources failed, 1 of them in an earlier run; {why}; what failed in an earlier run {again}"
    (tmp_path / "in" / "worse.png").unlink()
    earlier = f"2 sources failed in an earlier run; {why}; what failed in an earlier run {again}"
    assert run() == ["1 of 1 source is done already", earlier]


def test_what_failed_for_want_of_a_right_is_read_by_the_run_after_it_is_given(tmp_path, monkeypatch):
    analysis, place = ColourAnalysis(), str(tmp_path / "out")
    sources = list_sources([str(write_picture(tmp_path / "a.png", scene(0)))])[0]

    def refuse(path):
        raise UserError("cannot open a.png: Permission denied.")

    with Dataset(place, analysis) as dataset:
        with monkeypatch.context() as without:
            without.setattr(pictures, "open_file", refuse)
            assert run_archive(sources, dataset, in_this_process(analysis, place)) == 1
        assert list(pd.read_parquet(place).problem) == ["cannot open a.png: Permission denied."]
        assert run_archive(sources, dataset, in_this_process(analysis, place)) == 0
    assert list(pd.read_parquet(f"{place}/_sources.parquet").failed) == [False]
    rows = pd.read_parquet(place)
    assert (len(rows), rows.problem.isna().all()) == (3, True)


@pytest.mark.thorough
def test_own_columns_that_changed_after_a_kill_are_those_of_all_rows(tmp_path):
    path = write_scenes(tmp_path / "film.mp4", 400, fps=5)
    analysis, place = ColourAnalysis(stretch_s=25, columns=("group",)), str(tmp_path / "out")
    with Dataset(place, analysis) as dataset, pytest.raises(KeyboardInterrupt):
        engine = in_this_process(analysis, place, stop_after=3)
        run_archive([Source(str(path), "a", False, ("control",))], dataset, engine, stop_requested=lambda: True)
    assert list((tmp_path / "out" / ".stretches").rglob("*.parquet"))
    treated = [Source(str(path), "a", False, ("treated",))]
    with Dataset(place, analysis) as dataset:
        assert run_archive(treated, dataset, in_this_process(analysis, place)) == 0
        assert dataset.remaining(treated) == []
    assert set(pd.read_parquet(place).group) == {"treated"}


def test_stretches_of_other_films_stay_for_the_run_that_goes_on(tmp_path, sources):
    analysis, place = ColourAnalysis(stretch_s=25), str(tmp_path / "out")
    with Dataset(place, analysis) as dataset, pytest.raises(KeyboardInterrupt):
        engine = in_this_process(analysis, place, stop_after=len(sources) + 1)
        run_archive(sources, dataset, engine, stop_requested=lambda: True)
    (done,) = (tmp_path / "out" / ".stretches").rglob("*.parquet")
    pictures_only = [source for source in sources if source.is_picture]
    with Dataset(place, analysis) as dataset:
        assert run_archive(pictures_only, dataset, in_this_process(analysis, place)) == 0
        assert done.exists()
        write_scenes(tmp_path / "in" / "long.mp4", 20)
        assert run_archive(sources, dataset, in_this_process(analysis, place)) == 0
    assert not (tmp_path / "out" / ".stretches").exists()


@pytest.mark.parametrize("left", [0, 500])
def test_a_damaged_stretch_is_done_again(tmp_path, sources, left):
    analysis, place = ColourAnalysis(stretch_s=25, heatmaps="gradcam"), str(tmp_path / "out")
    films = [source for source in sources if not source.is_picture]
    for damaged in ("", "-heatmaps"):
        with Dataset(place, analysis) as dataset, pytest.raises(KeyboardInterrupt):
            engine = in_this_process(analysis, place, stop_after=2)
            run_archive(films, dataset, engine, stop_requested=lambda: True)
        (path,) = (tmp_path / "out" / ".stretches").glob(f"*/*[!s]{damaged}/00000.parquet")
        os.truncate(path, left)
    with Dataset(place, analysis) as dataset:
        assert run_archive(films, dataset, in_this_process(analysis, place)) == 0
    assert sorted(pd.read_parquet(place).frame.unique()) == list(range(300))


def test_what_limits_is_said_by_the_numbers():
    account = Account(Progress(1))
    assert account.limits() == ""
    account.times.add(Times(reading_s=2, networks_s=7, cpu_s=9.8, wall_s=10))
    said = "networks 70 % of the processes' time, reading and decoding 20 %, the rest 10 %; 2 % of it waiting"
    assert account.limits() == f"{said}: the limit is the networks"
    account.times.add(Times(reading_s=18, networks_s=1, cpu_s=19, wall_s=20))
    assert account.limits().endswith("the limit is reading and decoding")
    account.times.add(Times(reading_s=70, cpu_s=5, wall_s=70))
    assert account.limits().endswith("the limit is other programs on these cores, or the disk")


def test_a_film_that_is_read_in_one_go_after_all_has_not_failed():
    """One of its stretches says so, and another is lost while the film is read whole."""
    source = Source("/x/a.mp4", "a.mp4", False)
    parts = [Stretch(i, 3, 10 * i, None, 0, 0, Fraction(0), Fraction(0), None, total=30, promised=30) for i in range(3)]
    units = [Unit((source,), part, "sha") for part in parts]
    whole, account = Unit((source,), whole=True), Account(Progress(1, stream=io.StringIO()))
    archive = Archive(None, account)
    archive.take(Outcome(units[0], again=(whole,)))
    archive.take(Failed(units[1], "its process was lost"))
    archive.take(Outcome(whole, frames=30))
    assert archive.failed == {}
    assert (account.progress.sources, account.progress.failed) == (1, 0)
