"""A sitting at live.py: keys, pauses, files and a camera that goes away, with a window made of Python."""

from __future__ import annotations

import csv
import itertools
import json
import threading
import time

import numpy as np
import pytest

import live
from data.sources.frame import FileSource, Frame, FrameSource
from pipeline.live import session as module
from pipeline.live.session import Session
from pipeline.output.writers import VideoWriter
from pipeline.run import EmotionPipeline

SIZE = (96, 128, 3)


class FakeWindow:
    """Shows nothing, presses the keys it is told to: one entry a look, None for no key, a number for a wait in s."""

    def __init__(self, keys=()) -> None:
        self.keys, self.shown, self.closed = itertools.chain(keys, [None] * 5000), [], False
        self.pressed_s, self.shown_s = [], []

    def show(self, image_rgb):
        self.shown.append(image_rgb)
        self.shown_s.append(time.monotonic())

    def key(self, wait_ms):
        key = next(self.keys)  # StopIteration: the session does not end
        time.sleep(wait_ms / 1000 if key is None else key if isinstance(key, float) else 0)
        self.pressed_s += [time.monotonic()] if isinstance(key, str) else []
        return key if isinstance(key, str) else None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.closed, self.closed_s = True, time.monotonic()


@pytest.fixture(scope="module")
def parts():
    pipeline = EmotionPipeline.from_files()
    return pipeline.detector, pipeline.classifier


def clip(count: int, *, fps: float | None = 500.0) -> FileSource:
    """Frames that count: frame i is 3 i all over, with a light left half."""

    def frames():
        for index in range(count):
            image = np.full(SIZE, 3 * index, np.uint8)
            image[:, :64] += 5
            yield Frame(image, index / (fps or 1), index, f"picture {index}")

    return FileSource("a clip", frames(), fps=fps, count=count, stills=fps is None)


@pytest.fixture
def sit(parts, monkeypatch, tmp_path, capsys):
    """Run a whole session: keys from the window, flags as on the command line; (session, window, frames presented)."""
    monkeypatch.chdir(tmp_path)

    def run(source, *, keys=None, pipeline=None, **flags):
        window = FakeWindow(keys or ())
        monkeypatch.setattr(module, "display_available", lambda: keys is not None)
        monkeypatch.setattr(module, "Window", lambda title: window)
        presented = []
        with Session(live.Settings(**flags), source, pipeline or EmotionPipeline(*parts), "cpu") as session:
            for seen in session.results():
                presented.append(seen.frame)
                session.present(seen)
        assert not {"analyse", "find", "read"} & {thread.name for thread in threading.enumerate()}
        return session, window, presented

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
    """While paused the picture is painted again where a key changed the view; no frame is lost or doubled."""
    session, window, presented = sit(clip(6), keys=[None, "space", 0.1, "b", 0.1, "?", 0.1, "space"])
    assert [frame.index for frame in presented] == list(range(6))
    assert session.written == 6
    levels = [int(image[40, 100, 0]) for image in window.shown]  # a place where nothing is painted
    (held,) = [level for level in set(levels) if levels.count(level) >= 4]  # as it came, paused, b, ?, and going on
    assert levels == sorted(levels)
    gap_s = max(np.diff(window.shown_s))
    assert gap_s < 0.25, f"the key pressed while level {held} was on the screen is answered at once"


def test_keys_switch_what_is_seen_and_computed(sit, parts):
    session, *_ = sit(clip(40), keys=["h", "b", "?"])
    assert not session.show.heatmap
    assert session.pipeline.explainer is None
    assert not session.show.bars
    assert session.show.help
    session, *_ = sit(clip(40), keys=["e", "e", "x", "h", "h"])
    assert session.pipeline.explain_class == parts[1].class_names[1]
    assert session.pipeline.explainer == "gradcam++"  # also after h was pressed twice
    everything_once = ["e"] * (len(parts[1].class_names) + 1)
    assert sit(clip(60), keys=everything_once)[0].pipeline.explain_class is None


def test_another_class_is_explained_while_paused_and_nothing_else_changes(sit, portrait):
    source = FileSource("one", iter([Frame(portrait, 0.0, 0, "a"), Frame(portrait, 0.1, 1, "b")]), fps=10.0)
    keys = [0.3, "space", "e", 0.1, "x", 0.1, "h", 0.1, "q"]
    session, window, _ = sit(source, keys=keys)
    (face,) = session.last.result.faces
    assert face.label == "happiness"
    assert face.heatmap is None
    assert face.track == 1
    pictures = [image for image in window.shown if image.shape == portrait.shape]
    assert len({image.tobytes() for image in pictures}) >= 4


class Slow:
    """A pipeline of a slow machine."""

    def __init__(self, pipeline: EmotionPipeline, seconds: float) -> None:
        self._pipeline, self._seconds = pipeline, seconds

    def __getattr__(self, name):
        return getattr(self._pipeline, name)

    def find(self, images):
        time.sleep(self._seconds)
        return self._pipeline.find(images)


def test_keys_answer_at_once_also_when_frames_are_slow(sit, parts):
    keys = [0.9, "b", *[None] * 8, "?", *[None] * 8, "q"]
    started_s = time.monotonic()
    _, window, presented = sit(clip(50), keys=keys, pipeline=Slow(EmotionPipeline(*parts), 0.6))
    for pressed_s in window.pressed_s[:-1]:
        assert min(s - pressed_s for s in window.shown_s if s >= pressed_s) < 0.1
    assert window.closed_s - window.pressed_s[-1] < 0.1  # q too: the window does not wait for the frame under way
    assert len(presented) <= 3
    assert time.monotonic() - started_s < 0.9 + 0.4 + 2 * 0.6 + 0.5


def test_mirror_turns_the_frame_before_it_is_read(sit):
    _, _, read = sit(clip(1), mirror=True)
    assert read[0].image_rgb[0, 0, 0] < read[0].image_rgb[0, -1, 0]
    assert read[0].image_rgb.flags.c_contiguous


def test_mirror_turns_the_paused_picture_and_those_on_their_way(sit):
    session, window, presented = sit(clip(3, fps=None), keys=[0.2, "m", None, "space", None, "space", None, "space"])
    assert session.written == 3
    left_is_brighter = [int(image[40, 20, 0]) > int(image[40, 100, 0]) for image in window.shown]
    assert left_is_brighter[0]
    assert not any(left_is_brighter[2:])  # from the key on
    assert presented[-1].image_rgb[0, 0, 0] < presented[-1].image_rgb[0, -1, 0]


def test_snapshots_and_recordings_land_on_disk(sit, tmp_path):
    _, window, _ = sit(clip(60), keys=[0.3, "s", "r", *[None] * 40])
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
    """Live; a script of frames and silences of 0.2 s."""

    live = True

    def __init__(self, script: str) -> None:
        super().__init__("a camera")
        self.script, self.started_s = itertools.chain(script, itertools.repeat("E")), time.monotonic()

    def _next(self, timeout_s):
        what = next(self.script)
        if what == "E":
            self.close()
        if what == ".":
            time.sleep(0.2)
        if what != "F":
            return None
        return Frame(np.full(SIZE, 80, np.uint8), time.monotonic() - self.started_s, self._given, "camera")


def test_a_camera_that_goes_away_is_waited_for_and_said_so(sit, monkeypatch, capsys):
    monkeypatch.setattr(module, "AWAY_S", 0.1)
    session, window, _ = sit(Camera("FF...FF"), keys=[])
    assert session.written == 4
    assert "waiting" in capsys.readouterr().err
    assert len(window.shown) > 4  # the last frame again, with the message on it
    assert session.feed.mirror  # a camera is a mirror unless told otherwise


def test_an_absence_is_told_once_and_the_next_one_again(sit, monkeypatch, capsys):
    monkeypatch.setattr(module, "AWAY_S", 0.1)
    monkeypatch.setattr(module, "MESSAGE_S", 0.05)  # the message leaves the screen at once, and comes back there
    sit(Camera("F...F...F"), keys=[])
    assert capsys.readouterr().err.count("waiting for it") == 2


def test_a_slow_machine_is_not_taken_for_an_absent_camera(sit, parts, monkeypatch, capsys):
    monkeypatch.setattr(module, "AWAY_S", 0.1)
    sit(Camera("F" * 4), keys=[], pipeline=Slow(EmotionPipeline(*parts), 0.3))
    assert "waiting for it" not in capsys.readouterr().err


def test_a_recording_goes_on_while_the_camera_is_away(sit, monkeypatch):
    """What an absence lasts must not be made up for in one go when the camera is back: nobody could press a key."""
    written = []
    monkeypatch.setattr(VideoWriter, "_put_waiting", lambda self, *, times: written.append(times))
    monkeypatch.setattr(VideoWriter, "close", lambda self: None)
    sit(Camera("FF.......F"), keys=[], save="out.avi", mirror=False)
    assert sum(written) == pytest.approx(1.4 * 30, abs=8)
    assert max(written) <= 12


def test_log_and_lines_say_what_the_pipeline_said(sit, tmp_path, portrait, capsys, parts):
    source = FileSource("one", iter([Frame(portrait, 0.0, 0, "a.png"), Frame(portrait, 0.5, 1, "b.png")]), fps=2.0)
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
    sit(FileSource("one", iter([Frame(portrait, 0.0, 0, "a")]), fps=30.0), quiet=True)
    assert capsys.readouterr().out == ""


def test_a_file_that_nobody_watches_goes_in_batches_to_the_same_end(sit, portrait, tmp_path, monkeypatch):
    """The same rows of the log and the same recording, frame by frame or five at a time, mirrored too."""
    frames = [np.roll(portrait, 4 * i, axis=1) for i in range(12)]
    outcome = {}
    for batch in (1, 5):
        monkeypatch.setitem(module.FILE_BATCH, "cpu", batch)
        source = FileSource("film", (Frame(image, i / 25, i, "film") for i, image in enumerate(frames)), fps=25.0)
        sit(source, log=f"{batch}.jsonl", save=f"{batch}.avi", mirror=True, quiet=True)
        outcome[batch] = [(tmp_path / f"{batch}.{kind}").read_bytes() for kind in ("jsonl", "avi")]
    rows = [[json.loads(line) for line in outcome[batch][0].splitlines()] for batch in (1, 5)]
    assert [row["frame"] for row in rows[0]] == list(range(12))
    for one, other in zip(*rows, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert other[name] == (value if isinstance(value, str) else pytest.approx(value, abs=2e-4))
    assert len(outcome[1][1]) == pytest.approx(len(outcome[5][1]), rel=0.01)


def test_without_window_and_recording_nothing_is_drawn(sit, monkeypatch):
    monkeypatch.setattr(module.Overlay, "draw", None)
    assert sit(clip(3))[0].written == 3
