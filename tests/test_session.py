"""A sitting at live.py: keys, pauses, files and a camera that goes away, with a window made of Python."""

from __future__ import annotations

import csv
import itertools

import numpy as np
import pytest

import live
from data.frame import Frame, FrameSource, Recording
from pipeline import session as module
from pipeline.overlay import draw
from pipeline.run import EmotionPipeline
from pipeline.session import Session, line_of, rows_of

SIZE = (96, 128, 3)


class FakeWindow:
    """Shows nothing, presses the keys it is told to: one entry a look, None for no key."""

    def __init__(self, keys=()) -> None:
        self.keys, self.shown, self.closed = itertools.chain(keys, [None] * 2000), [], False

    def show(self, image_rgb):
        self.shown.append(image_rgb)

    def key(self, wait_ms):
        return next(self.keys)  # StopIteration: the session does not end

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.closed = True


@pytest.fixture(scope="module")
def parts():
    pipeline = EmotionPipeline.from_files()
    return pipeline.detector, pipeline.classifier


def clip(count: int, *, fps: float | None = 500.0) -> Recording:
    """Frames that count: frame i is 3 i all over, with a light left half."""

    def frames():
        for index in range(count):
            image = np.full(SIZE, 3 * index, np.uint8)
            image[:, :64] += 5
            yield Frame(image, index / (fps or 1), index, f"picture {index}")

    return Recording("a clip", frames(), fps=fps, count=count, stills=fps is None)


@pytest.fixture
def sit(parts, monkeypatch, tmp_path, capsys):
    """Run a whole session: keys from the window, flags as on the command line; (session, window, frames read)."""
    monkeypatch.chdir(tmp_path)

    def run(source, *, keys=None, **flags):
        window = FakeWindow(keys or ())
        monkeypatch.setattr(module, "display_available", lambda: keys is not None)
        monkeypatch.setattr(module, "Window", lambda title: window)
        pipeline = EmotionPipeline(*parts)
        read = []
        with Session(live.Settings(**flags), source, pipeline, "cpu") as session:
            for frame in session.frames():
                read.append(frame)
                result = pipeline([frame.image_rgb], time_s=frame.time_s)[0]
                session.present(frame, result, draw(result, show=session.show, status=session.status()))
        return session, window, read

    return run


def test_every_frame_once_in_order_without_a_window(sit):
    session, window, read = sit(clip(5))
    assert [frame.index for frame in read] == [0, 1, 2, 3, 4]
    assert session.written == 5
    assert window.shown == []


def test_q_escape_and_the_windows_button_end_it(sit):
    for key in ("q", "esc"):
        _, window, read = sit(clip(50), keys=[None, None, key])
        assert len(read) == len(window.shown) < 6
        assert window.closed


def test_pause_holds_the_frame_and_goes_on_after(sit):
    keys = ["space", None, None, "h", None, "space"]
    session, _, read = sit(clip(6), keys=keys)
    indices = [frame.index for frame in read]
    assert list(dict.fromkeys(indices)) == [0, 1, 2, 3, 4, 5]
    assert indices.count(0) > 1  # shown again while paused, because h changed the view
    assert session.written == 6


def test_keys_switch_what_is_seen_and_computed(sit, parts):
    session, *_ = sit(clip(40), keys=["h", "b", "?"])
    assert not session.show.heatmap
    assert session.pipeline.explainer is None
    assert not session.show.bars
    assert session.show.help
    session, *_ = sit(clip(40), keys=["e", "e", "x"])
    assert session.pipeline.explain_class == parts[1].class_names[1]
    assert session.pipeline.explainer == "gradcam++"
    everything_once = ["e"] * (len(parts[1].class_names) + 1)
    assert sit(clip(60), keys=everything_once)[0].pipeline.explain_class is None


def test_mirror_turns_the_frame_before_it_is_read(sit):
    _, _, read = sit(clip(1), mirror=True)
    assert read[0].image_rgb[0, 0, 0] < read[0].image_rgb[0, -1, 0]
    assert read[0].image_rgb.flags.c_contiguous


def test_snapshots_and_recordings_land_on_disk(sit, tmp_path):
    _, window, _ = sit(clip(60), keys=["s", "r", *[None] * 40])
    assert window.closed
    assert len(list((tmp_path / "snapshots").glob("*.png"))) == 1
    (film,) = (tmp_path / "recordings").glob("*.mp4")
    assert film.stat().st_size > 0


def test_a_snapshot_that_cannot_be_written_does_not_end_the_show(sit, tmp_path, capsys):
    (tmp_path / "snapshots").write_text("a file where a folder should be")
    session, *_ = sit(clip(8), keys=["s"])
    assert session.written == 8
    assert "cannot" in capsys.readouterr().err


def test_pictures_wait_for_the_space_bar_and_have_no_tracks(sit):
    session, _, read = sit(clip(3, fps=None), keys=[None, None, "space", None, "space", None, "space"])
    assert [frame.index for frame in read if frame.index >= 0][-1] == 2
    assert session.pipeline.tracker is None
    assert session.written == 3


class Camera(FrameSource):
    """Live; a script of frames and silences."""

    live = True

    def __init__(self, script: str) -> None:
        super().__init__("a camera")
        self.script = itertools.chain(script, itertools.repeat("E"))

    def _next(self, timeout_s):
        what = next(self.script)
        if what == "E":
            self.close()
        if what != "F":
            return None
        return Frame(np.full(SIZE, 80, np.uint8), self._given / 30, self._given, "camera")


def test_a_camera_that_goes_away_is_waited_for_and_said_so(sit, monkeypatch, capsys):
    monkeypatch.setattr(module, "AWAY_S", 0.0)
    session, window, _ = sit(Camera("FF" + "." * 10 + "FF"), keys=[None] * 100)
    assert session.written == 4
    assert "waiting" in capsys.readouterr().err
    assert len(window.shown) > 4  # the last frame again, with the message on it
    assert session.mirror  # a camera is a mirror unless told otherwise


def test_an_absence_is_told_once_and_the_next_one_again(sit, monkeypatch, capsys):
    monkeypatch.setattr(module, "AWAY_S", 0.0)
    monkeypatch.setattr(module, "MESSAGE_S", 0.0)  # the message leaves the screen at once, and comes back there
    sit(Camera("F" + "." * 12 + "F" + "." * 12 + "F"), keys=[None] * 100)
    # with AWAY_S at 0 an absence begins after each of the three frames, however many empty looks follow
    assert capsys.readouterr().err.count("waiting for it") == 3


def test_log_and_lines_say_what_the_pipeline_said(sit, tmp_path, portrait, capsys, parts):
    source = Recording("one", iter([Frame(portrait, 0.0, 0, "a.png"), Frame(portrait, 0.5, 1, "b.png")]), fps=2.0)
    sit(source, log="out.csv")
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [row["frame"] for row in rows] == ["0", "1"]
    assert {row["track"] for row in rows} == {"1"}
    result = EmotionPipeline(*parts, explainer=None)([portrait])[0].faces[0]
    assert rows[0]["label"] == result.label
    assert float(rows[0]["p_happiness"]) == pytest.approx(result.probabilities[1], abs=1e-4)
    assert float(rows[0]["x1"]) == pytest.approx(result.box_xyxy[0], abs=0.06)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "person 1  looks like happiness" in lines[0]


def test_quiet_prints_no_predictions(sit, portrait, capsys):
    sit(Recording("one", iter([Frame(portrait, 0.0, 0, "a")]), fps=30.0), quiet=True)
    assert capsys.readouterr().out == ""


def test_a_line_of_a_picture_names_the_picture(parts, portrait):
    frame = Frame(portrait, 0.0, 0, "a.png")
    (row,) = rows_of(frame, EmotionPipeline(*parts, explainer=None)([portrait])[0])
    assert line_of(row, "a.png").startswith("a.png  face 0  looks like happiness")
    assert row.track is None
