"""One process's work: rows as the log has them, records, crops, heatmaps; a cut film equals the uncut one."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.archives import CLASSES, ColourAnalysis, plain, scene, write_picture, write_scenes
from helpers.films import FailingFile, write_film

from data.sources import film
from data.sources.series import open_series
from pipeline.archive.results.dataset import Dataset
from pipeline.archive.results.store import Store
from pipeline.archive.sources import Source
from pipeline.archive.units import Unit
from pipeline.archive.worker import Worker
from pipeline.live.feed import Feed, FeedOptions
from pipeline.output.log import PredictionLog
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker

GREY = plain((100, 100, 100))


def source_of(path):
    return Source(str(path), path.name, path.suffix == ".png")


def test_rows_are_those_of_the_log(tmp_path):
    paths = [write_scenes(tmp_path / "in" / "a.mp4", 40), write_picture(tmp_path / "in" / "b.png", scene(3))]
    write_picture(tmp_path / "in" / "c.png", GREY)
    analysis = ColourAnalysis()
    worker = Worker(analysis, str(tmp_path / "out"))
    outcome = worker(Unit(tuple(source_of(p) for p in [*paths, tmp_path / "in" / "c.png"])))
    assert (outcome.frames, outcome.failed, outcome.again) == (42, 0, ())
    rows = pq.read_table(tmp_path / "out" / outcome.unit.name).to_pylist()

    loaded = analysis.pipeline()
    pipeline = EmotionPipeline(loaded.detector, loaded.classifier, tracker=Tracker(), options=loaded.options)
    log_path = tmp_path / "seen.csv"
    with open_series(str(tmp_path / "in")) as source, PredictionLog(log_path, CLASSES) as log:
        feed = Feed(source, pipeline, options=FeedOptions(False, loaded.options), batch_size=8)
        for batch in feed.grab():
            for analysed in feed.analyse(batch):
                log.write(analysed.frame, analysed.result)
    with open(log_path, newline="") as file:
        logged = list(csv.DictReader(file))
    assert len(rows) == len(logged) == outcome.faces + 1
    assert list(rows[0]) == list(logged[0])
    for row, other in zip(rows, logged, strict=True):
        for column, text in other.items():
            if column in ("frame", "time_s") and row["source"] != "a.mp4":
                assert row[column] == 0  # pictures of an archive have no order
            elif text == "":
                assert row[column] is None
            elif isinstance(row[column], str):
                assert row[column] == text
            else:
                assert np.float32(row[column]) == np.float32(text), column


def test_a_cut_film_equals_the_uncut_one(tmp_path):
    path = write_scenes(tmp_path / "film.mp4", 200, fps=2.5)
    tables, records, means = [], [], []
    for stretch_s in (0.0, 25.0, 36.0):
        analysis = ColourAnalysis(stretch_s=stretch_s, heatmaps="gradcam")
        place = str(tmp_path / f"out{stretch_s}")
        with Dataset(place, analysis) as dataset:
            worker, unit = Worker(analysis, place), Unit((source_of(path),))
            outcome = worker(unit)
            assert len(outcome.again) == {0.0: 0, 25.0: 3, 36.0: 2}[stretch_s]
            if outcome.again:
                assert [worker(one).again for one in reversed(outcome.again)] == [()] * len(outcome.again)
                dataset.join(outcome.again)
                assert dataset.store.names(".stretches") == []
            (part,) = list(dataset.parts())
            tables.append(dataset.store.read_table(part[0]))
            records += part[1]
            means.append(dataset.store.read_table(part[0].replace("faces", "_heatmaps")).to_pylist())
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
    assert max(tables[0]["track"].to_pylist()) > 3  # people went and came
    for record in records:
        assert (record["frames"], record["promised"], record["doubts"]) == (200, 200, [])
    assert [record["seams"] for record in records] == [0, 2, 1]
    assert len({(r["faces"], r["seconds"], r["sha256"]) for r in records}) == 1
    for other in means[1:]:
        assert [row["count"] for row in other] == [row["count"] for row in means[0]]
        assert all(np.array_equal(a["heatmap"], b["heatmap"]) for a, b in zip(other, means[0], strict=True))
        assert sum(row["count"] for row in other) == records[0]["faces"]


def test_a_film_that_is_not_what_its_packets_said_is_read_in_one_go(tmp_path):
    path = write_scenes(tmp_path / "film.mp4", 150, fps=2.5)
    worker = Worker(ColourAnalysis(stretch_s=25), str(tmp_path / "out"))
    cut = worker(Unit((source_of(path),))).again
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 300] = bytes(300)
    path.write_bytes(content)
    instead = [again for unit in cut for again in worker(unit).again]
    assert instead == [Unit((source_of(path),), whole=True)] * len(instead) != []
    outcome = worker(instead[0])
    (record,) = Store(str(tmp_path / "out")).records(outcome.unit.name)
    assert record["skipped"] > 0
    assert record["frames"] + record["skipped"] == pytest.approx(150, abs=3)


def test_a_film_that_is_away_while_one_stretch_is_read_is_read_in_one_go(tmp_path):
    path = write_scenes(tmp_path / "film.mp4", 200, fps=2.5)
    worker = Worker(ColourAnalysis(stretch_s=25), str(tmp_path / "out"))
    (source,) = sources = (source_of(path),)
    first, second, _ = worker(Unit(sources)).again
    assert worker(first).again == ()
    path.rename(tmp_path / "away")
    assert worker(second).again == (Unit(sources, whole=True),)
    assert not worker.store.exists(second.name)
    (tmp_path / "away").rename(path)
    outcome = worker(Unit((source,), whole=True))
    assert (outcome.frames, outcome.failed) == (200, 0)


def test_a_disk_that_fails_in_a_film_is_a_failure_and_a_row(tmp_path, monkeypatch):
    path = write_scenes(tmp_path / "film.mp4", 300)
    size = path.stat().st_size
    monkeypatch.setattr(film, "open_file", lambda path: FailingFile(path, size * 3 // 4))
    outcome = Worker(ColourAnalysis(), str(tmp_path / "out"))(Unit((source_of(path),)))
    (record,) = Store(str(tmp_path / "out")).records(outcome.unit.name)
    assert 20 < record["frames"] < 290
    assert (record["failed"], outcome.failed) == (True, 1)
    assert record["problem"].endswith("film.mp4 cannot be read any further: Input/output error.")
    rows = pq.read_table(tmp_path / "out" / outcome.unit.name).to_pylist()
    assert [(row["frame"], row["problem"]) for row in rows if row["problem"]] == [(record["frames"], record["problem"])]
    assert rows[-1]["problem"]


def test_step_analyses_every_nth_frame(tmp_path):
    path = write_scenes(tmp_path / "film.mp4", 50)
    out, ticks = tmp_path / "out", []
    outcome = Worker(ColourAnalysis(step=7), str(out), tick=lambda *more: ticks.append(more))(Unit((source_of(path),)))
    rows = pq.read_table(out / outcome.unit.name).to_pylist()
    assert sorted({row["frame"] for row in rows}) == list(range(0, 50, 7))
    assert outcome.frames == 8
    analysed = [i for i, (frames, _) in enumerate(ticks) if frames]
    assert np.diff(analysed).min() >= 7  # those left out, which may be thousands, are signs of life, too


def test_what_cannot_be_read_is_a_row_and_a_record(tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    units = (
        source_of(bad),
        source_of(write_picture(tmp_path / "good.png", scene(0))),
        source_of(tmp_path / "gone.mp4"),
    )
    outcome = Worker(ColourAnalysis(), str(tmp_path / "out"))(Unit(units))
    assert outcome.failed == 2
    records = Store(str(tmp_path / "out")).records(outcome.unit.name)
    assert [record["failed"] for record in records] == [True, False, True]
    assert "not a picture" in records[0]["problem"]
    rows = pq.read_table(tmp_path / "out" / outcome.unit.name).to_pylist()
    assert [row["source"] for row in rows if row["problem"]] == ["bad.png", "gone.mp4"]
    assert sum(row["face"] is not None for row in rows) == 3


def test_what_is_wrong_with_a_copy_is_said_of_the_source(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    sources = [
        Source(f"file://{tmp_path}/{name}", f"file:///{name}", name == "bad.png") for name in ("bad.png", "gone.mp4")
    ]
    outcomes = [Worker(ColourAnalysis(), str(tmp_path / "out"))(Unit((source,))) for source in sources]
    store = Store(str(tmp_path / "out"))
    bad, gone = (store.records(outcome.unit.name)[0] for outcome in outcomes)
    assert bad["problem"] == "file:///bad.png is not a picture that can be read."
    assert (bad["failed"], gone["failed"]) == (True, True)
    assert gone["sha256"] == ""


def test_crops_and_own_columns_on_request(tmp_path):
    picture = write_picture(tmp_path / "a.png", scene(0))
    source = Source(str(picture), "some/where/a.png", True, ("room 1", "=1+1"))
    outcome = Worker(ColourAnalysis(crops=True, columns=("room", "note")), str(tmp_path / "out"))(Unit((source,)))
    rows = pq.read_table(tmp_path / "out" / outcome.unit.name).to_pylist()
    assert {(row["room"], row["note"]) for row in rows} == {("room 1", "=1+1")}
    (folder,) = (tmp_path / "out" / "_crops").iterdir()
    crops = sorted(folder.iterdir())
    assert [path.name for path in crops] == ["000000_0.png", "000000_1.png", "000000_2.png"]
    colours = [cv2.imread(str(path)).reshape(-1, 3).mean(axis=0)[::-1].argmax() for path in crops]
    assert colours == [CLASSES.index(row["label"]) for row in rows]


def test_frames_are_told_as_they_are_done(tmp_path):
    told = []
    path = write_scenes(tmp_path / "film.mp4", 30)
    worker = Worker(ColourAnalysis(), str(tmp_path / "out"), tick=lambda frames, faces: told.append((frames, faces)))
    outcome = worker(Unit((source_of(path),)))
    assert sum(frames for frames, _ in told) == outcome.frames == 30
    assert sum(faces for _, faces in told) == outcome.faces


@pytest.mark.parametrize("stretch_s", [0, 25])
def test_a_pause_is_a_row_and_no_problem_of_the_film(tmp_path, stretch_s):
    times_s = np.arange(200) / 2.5
    times_s[150:] += 30
    images = [scene(i, fps=2.5) for i in range(200)]
    path = write_film(tmp_path / "a.mkv", images, rate=2.5, times_s=times_s.tolist(), options={"g": "12"})
    worker = Worker(ColourAnalysis(stretch_s=stretch_s), str(tmp_path / "out"))
    units = worker(Unit((source_of(path),))).again if stretch_s else (Unit((source_of(path),)),)
    assert len(units) == (3 if stretch_s else 1)
    problems = []
    for unit in units:
        worker(unit)
        (record,) = worker.store.records(unit.name)
        assert (record["skipped"], record["problem"]) == (0, None)
        problems += pq.read_table(tmp_path / "out" / unit.name)["problem"].to_pylist()
    assert ["a pause" in problem for problem in problems if problem] == [True]
