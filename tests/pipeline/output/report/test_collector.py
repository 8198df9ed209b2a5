"""Report: from frames to a file, and the same from the log of those frames."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from data.sources.frame import Frame, Skipped
from pipeline.output.log import PredictionLog
from pipeline.output.report import Report, check_folder
from pipeline.output.report import collector as module
from pipeline.output.report.log_file import read_log
from pipeline.run import FaceResult, FrameResult
from retinaface.face import Face
from support import UserError

CLASSES = ("neutral", "happiness", "fear")
IMAGE = np.full((60, 80, 3), 128, np.uint8)


def result(*rows, explainer="gradcam", **limits):
    landmarks = np.array([[20, 20], [40, 20], [30, 30], [22, 40], [38, 40]], np.float32)
    face, heatmap = Face(np.array([10, 10, 50, 50], np.float32), landmarks, 0.9), np.eye(8, dtype=np.float32)
    faces = tuple(
        FaceResult(face, np.array(p, np.float32), CLASSES[np.argmax(p)], max(p), heatmap, "fear", np.eye(2, 3), track)
        for track, p in rows
    )
    return FrameResult(IMAGE, faces, CLASSES, explainer, **limits)


def test_the_page_of_a_session_and_of_its_log_say_the_same(tmp_path, rng, monkeypatch):
    pages = []
    monkeypatch.setattr(module, "page_html", lambda session, **options: pages.append(session.finished()) or "x")
    report = Report(CLASSES)
    with PredictionLog(tmp_path / "seen.csv", CLASSES) as log:
        for i, time_s in enumerate(np.cumsum(rng.choice([0.04, 0.5], 200)).round(3).tolist()):
            frame = Frame(IMAGE, time_s, i, "a.mp4", Path("films/a.mp4"))
            seen = result(*((track, rng.dirichlet(np.ones(3)).tolist()) for track in (1, 2)))
            report.add(frame, seen)
            log.write(frame, seen)
    report.write(tmp_path / "report", settings={})
    (from_frames,) = pages[0].sources.values()
    (from_log,) = read_log(tmp_path / "seen.csv")[0].finished().sources.values()
    assert from_frames.weight == pytest.approx(from_log.weight)
    for track in (1, 2):
        ours, theirs = from_frames.people[track], from_log.people[track]
        np.testing.assert_allclose(ours.totals.shares, theirs.totals.shares, atol=1e-6)
        np.testing.assert_allclose(ours.timeline.sums, theirs.timeline.sums, atol=1e-4)
        assert [[m.time_s for m in s.moments] for s in ours.strongest] == [
            [m.time_s for m in s.moments] for s in theirs.strongest
        ]


def test_films_pictures_limits_and_what_could_not_be_read(tmp_path):
    report = Report(CLASSES, faces=False)
    for folder in ("a", "b"):  # two films of one name
        for i in range(3):
            frame = Frame(IMAGE, i / 10, i, "film.mp4", Path(folder, "film.mp4"))
            report.add(frame, result((1, [0, 1, 0]), left_out=(Face(np.zeros(4), np.zeros((5, 2)), 0.7),) * 4))
    report.add(Frame(IMAGE, 0.0, 0, "p.jpg", Path("p.jpg"), still=True), result((0, [0, 0, 1]), explainer=None))
    report.add_skipped(Skipped("broken.jpg", 1, "is not a picture"))
    report.add_skipped(Skipped("film.mp4", 120, "a damaged stretch", frames=30))
    page = report.write(tmp_path / "new" / "folder", settings={"conf": 0.5}).read_text(encoding="utf-8")
    assert page.count("<h2><bdi>film.mp4</bdi></h2>") == 2
    assert page.count("3 frames limited by --max-faces") == 2
    assert "<h2><bdi>Pictures</bdi></h2>" in page
    assert "broken.jpg: is not a picture" in page
    assert "film.mp4, 30 frames from frame 120 on: a damaged stretch" in page
    assert page.count("gradcam, 3 faces") == 2, "the picture's explainer was off"
    assert "looked for fear" in page
    assert "looked for happiness" not in page, "that is the label"
    assert "<img" not in page
    assert module.WITHOUT_FACES in page


def test_faces_are_in_the_page_only_where_asked_for(tmp_path):
    report = Report(CLASSES, faces=True)
    report.add(Frame(IMAGE, 0.0, 0, "camera 0"), result((1, [0, 1, 0])))
    page = report.write(tmp_path, settings={}).read_text(encoding="utf-8")
    assert page.count('<img src="data:image/jpeg;base64,') == 1
    assert module.WITH_FACES in page


def test_a_report_may_be_written_again_and_go_on(tmp_path):
    report = Report(CLASSES)
    for i in range(20):
        report.add(Frame(IMAGE, i / 10, i, "camera 0"), result((1, [0, 1, 0])))
        path = report.write(tmp_path, settings={})
    assert "20 frames in 0:02" in path.read_text(encoding="utf-8")
    assert os.listdir(tmp_path) == ["index.html"]


def test_a_page_that_is_not_ours_is_not_replaced(tmp_path):
    (tmp_path / "index.html").write_text("<h1>My home</h1>")
    for call in (check_folder, lambda folder: Report(CLASSES).write(folder, settings={})):
        with pytest.raises(UserError, match=r"index\.html is not a report .* name another folder"):
            call(tmp_path)
    assert (tmp_path / "index.html").read_text() == "<h1>My home</h1>"
    with pytest.raises(UserError, match=r"is written to a folder, and .*index\.html is none"):
        check_folder(tmp_path / "index.html")
    check_folder(tmp_path / "not there yet")
    with pytest.raises(UserError, match="cannot write"):
        Report(CLASSES).write(tmp_path / ("a" * 5000), settings={})


def test_a_full_disk_is_one_sentence_and_leaves_the_old_page(tmp_path, monkeypatch):
    path = Report(CLASSES).write(tmp_path, settings={})
    before = path.read_bytes()

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"cannot write .*index\.html: No space left on device") as error:
        Report(CLASSES).write(tmp_path, settings={})
    assert error.value.exit_code == 1
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["index.html"]
