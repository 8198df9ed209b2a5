"""The report from Parquet files: the numbers of the report from the log."""

from __future__ import annotations

from helpers.archives import ColourAnalysis, plain, scene, write_picture, write_scenes

from pipeline.archive.results.dataset import Dataset
from pipeline.archive.results.page import write_report
from pipeline.archive.sources import list_sources
from pipeline.archive.units import units_of
from pipeline.archive.worker import Worker


def test_the_page_tells_films_people_and_what_could_not_be_read(tmp_path):
    write_scenes(tmp_path / "in" / "film.mp4", 60)
    write_picture(tmp_path / "in" / "a.png", scene(0))
    write_picture(tmp_path / "in" / "empty.png", plain((90, 90, 90)))
    (tmp_path / "in" / "bad.png").write_bytes(b"no")
    place, analysis = str(tmp_path / "out"), ColourAnalysis()
    with Dataset(place, analysis) as dataset:
        for unit in units_of([(source, 1) for source in list_sources([str(tmp_path / "in")])[0]]):
            Worker(analysis, place)(unit)
        path = write_report(dataset, tmp_path / "report")
    text = path.read_text()
    assert text.count("<article>") == 4  # three people of the film, all faces of the pictures
    assert "seen for 0:06" in text
    assert "film.mp4" in text
    assert "3 faces" in text
    assert "bad.png: " in text
    assert "<script src" not in text
