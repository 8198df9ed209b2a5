"""The report from Parquet files: the numbers of the report from the log."""

from __future__ import annotations

from helpers.archives import ColourAnalysis, plain, scene, write_picture, write_scenes
from PIL import Image

from pipeline.archive.results.dataset import Dataset
from pipeline.archive.results.page import write_report
from pipeline.archive.sources import Source, list_sources
from pipeline.archive.units import Unit, units_of
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


def test_an_animation_is_told_as_a_film_and_no_heap_of_pictures(tmp_path):
    images = [Image.fromarray(scene(5 * i)) for i in range(20)]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=200)
    place, analysis = str(tmp_path / "out"), ColourAnalysis()
    with Dataset(place, analysis) as dataset:
        Worker(analysis, place)(Unit(tuple(list_sources([str(tmp_path / "a.gif")])[0])))
        text = write_report(dataset, tmp_path / "report").read_text()
    assert "20 frames" in text
    assert "pictures" not in text.partition('class="facts">')[2].partition("</p>")[0]


def test_two_films_of_the_same_name_stay_two(tmp_path):
    place, analysis = str(tmp_path / "out"), ColourAnalysis()
    with Dataset(place, analysis) as dataset:
        for folder, frames in (("x", 60), ("y", 20)):  # as where the command is given in one folder after the other
            path = write_scenes(tmp_path / folder / "film.mp4", frames)
            Worker(analysis, place)(Unit((Source(str(path), "film.mp4", False),)))
        text = write_report(dataset, tmp_path / "report").read_text()
    assert text.count("<h2><bdi>film.mp4</bdi></h2>") == 2
