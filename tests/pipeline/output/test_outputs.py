"""What a session leaves behind: every file complete however it ends, what was not read told, nothing lost."""

from __future__ import annotations

import csv
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from data.sources.frame import Frame, FrameSource, Skipped
from data.sources.pictures import open_picture
from live import Settings
from pipeline.options import SessionOptions
from pipeline.output import outputs as module
from pipeline.output.outputs import Outputs
from pipeline.run import FrameResult
from support import UserError

PICTURE = np.full((48, 64, 3), 90, np.uint8)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def messages() -> list[str]:
    return []


def frame(index: int, name: str = "a.mp4", *, still: bool = False) -> Frame:
    return Frame(PICTURE, 0.0 if still else index / 25, index, name, Path(name), still)


def run(outputs: Outputs, frames: Iterable[Frame]) -> None:
    for one in frames:
        outputs.add(one, FrameResult(one.image_rgb, (), ("fear",)), PICTURE if outputs.wants_pictures else None)


def opened(messages: list[str], source: FrameSource | None = None, **options) -> Outputs:
    options = {"quiet": True, "show": False} | options
    return Outputs(SessionOptions(**options), source or FrameSource("a", fps=25), ("fear",), notify=messages.append)


def test_an_error_of_the_keys_recording_is_a_message_and_ends_that_recording_only(messages, monkeypatch):
    def full_disk(self, image, time_s, **of):
        raise UserError("the disk is full.")

    monkeypatch.setattr(module.VideoWriter, "write", full_disk)
    with opened(messages) as outputs:
        outputs.toggle_recording(frame(2), PICTURE)
        assert outputs.recording is None
        assert messages[1:] == ["the disk is full."]  # nothing was recorded until then


def test_a_recording_that_breaks_off_is_kept_but_not_one_that_could_not_begin(here, messages, monkeypatch):
    def worn_out(self, image):
        raise OSError("worn out")

    with opened(messages) as outputs:
        outputs.toggle_recording(frame(0), PICTURE)
        monkeypatch.setattr(module.VideoWriter, "_encode", worn_out)
        run(outputs, [frame(1)])
        (path,) = Path("recordings").iterdir()
        assert messages[-1] == f"{path} ends here: worn out. What was recorded until then is kept."
    path.unlink()
    Path("recordings").rmdir()
    Path("recordings").touch()
    messages.clear()
    with opened(messages) as outputs:
        outputs.toggle_recording(frame(0), PICTURE)
    assert len(messages) == 2
    assert "kept" not in messages[1]


@pytest.mark.skipif(sys.platform == "win32", reason="a folder with an open file stays there")
def test_a_recording_whose_folder_goes_away_is_a_message_and_the_session_goes_on(messages):
    """Whether it is noticed at the next frame or at the end."""
    with opened(messages, log="a.csv") as outputs:
        for frames in ([frame(1)], []):
            outputs.toggle_recording(frame(0), PICTURE)
            shutil.rmtree("recordings")
            run(outputs, frames)
            outputs.stop_recording()
    assert sum(".partial.mp4 is gone" in message for message in messages) == 2
    assert Path("a.csv").exists()


def test_a_report_names_the_source_without_its_password(here, messages):
    options = Settings(source="rtsp://admin:secret@10.0.0.5/cam", report="report", quiet=True, show=False)
    with Outputs(options, FrameSource("rtsp://10.0.0.5/cam", fps=25), ("fear",), notify=messages.append) as outputs:
        run(outputs, [frame(0)])
    page = Path("report", "index.html").read_text(encoding="utf-8")
    assert "rtsp://10.0.0.5/cam" in page
    assert "secret" not in page


def test_ctrl_c_finishes_everything(here, messages):
    with (
        pytest.raises(KeyboardInterrupt),
        opened(messages, save="a.mp4", log="a.csv", crops="crops", report="report") as outputs,
    ):
        run(outputs, [frame(0)])
        outputs.toggle_recording(frame(0), PICTURE)
        assert outputs.wants_pictures
        run(outputs, map(frame, (1, 2)))
        raise KeyboardInterrupt
    (recording,) = Path("recordings").iterdir()
    assert sorted(os.listdir(here)) == ["a.csv", "a.mp4", "recordings", "report"]
    assert os.listdir("report") == ["index.html"]
    for path in ("a.mp4", recording):
        with av.open(str(path)) as film:
            assert [image.time for image in film.decode(video=0)] == pytest.approx([0, 0.04, 0.08], abs=1e-4)


def test_what_could_not_be_read_is_in_the_log_the_report_and_the_list(messages):
    source = FrameSource("pictures")
    with opened(messages, source, log="a.csv", report="report") as outputs:
        source.skip(Skipped("b.jpg", 0, "is broken"))
        run(outputs, [frame(1, "c.jpg", still=True)])
        source.skip(Skipped("d.jpg", 2, "is empty"))
    rows = list(csv.DictReader(Path("a.csv").read_text().splitlines()))
    assert [(row["frame"], row["source"], row["problem"]) for row in rows] == [
        ("0", "b.jpg", "is broken"), ("1", "c.jpg", ""), ("2", "d.jpg", "is empty"),
    ]  # fmt: skip
    assert outputs.unread.sentence(2) == "2 of 4 pictures and frames, in 2 files, could not be read"
    page = Path("report/index.html").read_text()
    assert "b.jpg: is broken" in page
    assert "d.jpg: is empty" in page


def test_a_pause_of_a_film_is_told_and_not_counted_as_unread(messages):
    source = FrameSource("a.mp4", fps=25)
    with opened(messages, source, log="a.csv", report="report") as outputs:
        run(outputs, [frame(0)])
        source.skip(Skipped("a.mp4", 1, "no frame for 3.00 s", frames=75, pause=True))
        run(outputs, [frame(1)])
    assert (outputs.unread.frames, outputs.unread.files) == (0, 0)
    problems = [row["problem"] for row in csv.DictReader(Path("a.csv").read_text().splitlines())]
    assert problems == ["", "no frame for 3.00 s (75 frames)", ""]
    page = Path("report/index.html").read_text()
    assert page.index("or may be missing") < page.index("no frame for 3.00 s")


def test_a_film_of_pictures_shows_each_for_two_seconds_and_films_at_their_own_times(messages):
    frames = [frame(0, "a.jpg", still=True), frame(1, "b.jpg", still=True), *(frame(i, "c.mp4") for i in range(3))]
    with opened(messages, FrameSource("mixed"), save="a.mp4") as outputs:
        run(outputs, [*frames, frame(2, "d.jpg", still=True)])
    with av.open("a.mp4") as film:
        assert film.duration / av.time_base == pytest.approx(4.12 + 2, abs=0.01)
        times_s = [image.time for image in film.decode(video=0)]
    assert times_s == pytest.approx([0, 2, 4, 4.04, 4.08, 4.12], abs=1e-3)


def test_a_folder_gets_each_source_under_its_name(messages):
    with opened(messages, FrameSource("mixed"), save="seen/") as outputs:
        assert outputs.wants_pictures
        run(outputs, [frame(0, "b/a.jpg", still=True), frame(0, "c.avi"), frame(1, "c.avi")])
    assert sorted(str(path) for path in Path("seen").rglob("*.*")) == ["seen/b/a.jpg", "seen/c.avi.mp4"]


def test_lines_name_pictures_films_among_others_and_the_time_of_a_film_alone(messages, capsys, monkeypatch):
    monkeypatch.setattr(module, "lines_of", lambda frame, result, name: [f"{name} {frame.index}"])
    for fps in (25.0, None):
        with opened(messages, FrameSource("a", fps=fps), quiet=False) as outputs:
            run(outputs, [frame(7)])
    assert capsys.readouterr().out.splitlines() == ["None 7", "a.mp4 7"]


def test_the_report_of_the_session_so_far(messages):
    """The key t: to a folder of its own, each time another, or to that of --report; where it fails, a message."""
    with opened(messages, show=True) as outputs:
        run(outputs, [frame(0)])
        outputs.write_report()
        outputs.write_report()
        pages = sorted(Path("reports").rglob("index.html"))
        assert len(pages) == len({page.parent for page in pages}) == 2
        assert {message.removeprefix("the report so far is ") for message in messages} == set(map(str, pages))
    assert len(list(Path("reports").iterdir())) == 2  # none at the end, for none was asked
    Path("blocked").touch()
    messages.clear()
    with pytest.raises(UserError, match="blocked"), opened(messages, report="blocked") as outputs:
        outputs.write_report()
        assert "blocked" in messages[0]


def test_snapshots(messages):
    with opened(messages) as outputs:
        outputs.snapshot(PICTURE)
        outputs.snapshot(PICTURE)
    assert len(list(Path("snapshots").glob("*.png"))) == 2
    assert len(messages) == 2
    assert all(message.startswith("saved snapshots") for message in messages)


def test_an_animation_s_last_frame_stays_in_a_recording(messages):
    greys = [Image.fromarray(np.full((48, 64, 3), level, np.uint8)) for level in (10, 120, 240)]
    greys[0].save("a.gif", save_all=True, append_images=greys[1:], duration=[100, 100, 3000])
    with open_picture("a.gif") as source, opened(messages, source, save="a.mp4") as outputs:
        run(outputs, source)
    with av.open("a.mp4") as film:
        assert film.duration / av.time_base == pytest.approx(0.2 + 3.0, abs=0.01)
