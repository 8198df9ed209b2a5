"""A session of live.py: keys, pauses, files and a camera that goes away, with a window and a clock made of Python."""

from __future__ import annotations

import csv
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from helpers.patience import PATIENCE_S

from data.sources.frame import FileSource, Frame, FrameSource, Skipped
from data.sources.open_source import read_picture
from pipeline.drawing.face_blur import around
from pipeline.drawing.stand_notice import NOTHING_KEPT, what_is_kept
from pipeline.live import session as module
from pipeline.live.keys import KEYS, help_on
from pipeline.live.session import Session
from pipeline.options import PredictOptions, SessionOptions
from pipeline.run import EmotionPipeline
from retinaface.detector import RetinaFace
from retinaface.face import Face, Faces
from support import UserError

SIZE = (96, 128, 3)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.001)


class Clock:
    """A clock that only looks at the keyboard and the tests move; `looks` counts the former."""

    now_s, looks = 50.0, 0

    def __call__(self) -> float:
        return self.now_s

    def pass_noticed(self, seconds: float) -> None:
        """Let time pass, and wait until the session has looked at the keyboard twice since."""
        self.now_s += seconds
        until = self.looks + 2
        wait_until(lambda: self.looks >= until)


class FakeWindow:
    """Shows nothing, presses keys.

    keys: one entry a look; a number waits until so many pictures have been shown, and then the next entry follows.
    events: each key that was pressed and each picture that was shown ("show"), in order.
    """

    def __init__(self, keys: Iterable[str | int], clock: Clock) -> None:
        self._keys, self._clock = list(keys), clock
        self.shown: list[np.ndarray] = []
        self.events: list[str] = []
        self.closed = False
        self.gone = threading.Event()

    def show(self, image_rgb: np.ndarray) -> None:
        self.shown.append(image_rgb)
        self.events.append("show")

    def key(self, wait_ms: int = 1) -> str | None:
        self._clock.now_s += max(1, wait_ms) / 1000  # as `Window.key`
        self._clock.looks += 1
        assert self._clock.looks < 20_000, "the session does not end"
        while self._keys and isinstance(self._keys[0], int) and len(self.shown) >= self._keys[0]:
            self._keys.pop(0)
        if not self._keys or isinstance(self._keys[0], int):
            time.sleep(0.0005)  # the threads may work meanwhile
            return None
        key = str(self._keys.pop(0))
        self.events.append(key)
        return key

    def __enter__(self) -> FakeWindow:
        return self

    def __exit__(self, *exception: object) -> None:
        self.closed = True
        self.gone.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def clip(count: int, *, fps: float | None = 500.0) -> FileSource:
    """Frames that count: frame i is 3 i all over, with a light left half."""

    def frames() -> Iterator[Frame]:
        for index in range(count):
            image = np.full(SIZE, 3 * index, np.uint8)
            image[:, :64] += 5
            yield Frame(image, index / (fps or 1), index, f"picture {index}")

    return FileSource("a clip", frames(), fps=fps, count=count, stills=fps is None)


def film(images: Sequence[np.ndarray], *, fps: float) -> FileSource:
    frames = (Frame(image, i / fps, i, "a film") for i, image in enumerate(images))
    return FileSource("a film", frames, fps=fps)


@pytest.fixture
def play(parts, clock, monkeypatch, tmp_path):
    """Run a whole session: keys from the window, options as flags; (session, window, frames presented)."""
    monkeypatch.chdir(tmp_path)

    def run(source, *, keys=None, pipeline=None, window=None, stop_requested=lambda: False, **options):
        window = window or FakeWindow(keys or (), clock)
        monkeypatch.setattr(module, "display_available", lambda: keys is not None)
        monkeypatch.setattr(module, "Window", lambda title: window)
        presented = []
        pipeline = pipeline or EmotionPipeline(*parts)
        more = {"clock": clock, "stop_requested": stop_requested}
        with Session(SessionOptions(**options), source, pipeline, "cpu", **more) as session:
            for analysed in session.results():
                presented.append(analysed.frame)
                session.present(analysed, session.draw(analysed))
        names = [thread.name for thread in threading.enumerate()]
        assert not any(name.startswith(("analyse", "detect", "predict")) for name in names)
        return session, window, presented

    return run


def test_without_a_window_every_frame_comes_once_in_order_and_nothing_is_drawn(play, monkeypatch):
    monkeypatch.setattr(module.Overlay, "draw", None)
    session, window, presented = play(clip(5))
    assert [frame.index for frame in presented] == [0, 1, 2, 3, 4]
    assert session.presented == 5
    assert window.shown == []


@pytest.mark.parametrize("end", ["q", "esc", "the window's button"])
def test_q_escape_and_the_windows_button_end_it(play, clock, end):
    window = FakeWindow([2, end], clock)
    if end not in ("q", "esc"):
        window.show = lambda image: setattr(window, "closed", window.shown.append(image) or len(window.shown) == 2)
    _, _, presented = play(clip(50), keys=[], window=window)
    assert len(presented) == len(window.shown) == 2
    assert window.closed


def test_pause_holds_the_frame_and_goes_on_after(play):
    """While paused the picture is painted again where a key changed the view; no frame is lost or doubled."""
    session, window, presented = play(clip(6), keys=[1, "space", 2, "b", 3, "?", 4, "space"])
    assert [frame.index for frame in presented] == list(range(6))
    assert session.presented == 6
    assert window.events[:9] == ["show", "space", "show", "b", "show", "?", "show", "space", "show"]
    levels = [int(image[40, 100, 0]) for image in window.shown]  # a place where nothing is painted
    assert levels == sorted(levels)
    assert levels.count(levels[0]) == 5  # as it came, paused, b, ?, and going on


def test_keys_switch_what_is_seen_and_computed(play, parts, monkeypatch):
    session, *_ = play(clip(40), keys=["h", "b", "?"])
    assert session.feed.options.predict.explainer is None
    assert not session.show.bars
    assert session.show.keys == help_on(session.feed.pipeline)
    monkeypatch.setattr(type(session.feed.pipeline.classifier), "computing", "bfloat16, channels-last")  # as on cuda
    session, *_ = play(clip(40), keys=["?"])
    assert session.show.keys[-1] == ("--amp", "expressions: bfloat16, channels-last")
    session, *_ = play(clip(40), keys=["e", "e", "x", "h", "h"])
    assert session.feed.options.predict.explain_class == parts[1].class_names[1]
    assert session.feed.options.predict.explainer == "gradcam++"  # also after h was pressed twice
    everything_once = ["e"] * (len(parts[1].class_names) + 1)
    assert play(clip(60), keys=everything_once)[0].feed.options.predict.explain_class is None


def test_keys_change_nothing_of_the_pipeline_that_was_given(play, parts):
    pipeline = EmotionPipeline(*parts)
    before = dict(vars(pipeline))
    session, *_ = play(clip(20), keys=[1, "h", "e", "x", "h", "m"], pipeline=pipeline)
    assert session.feed.options.mirror
    assert vars(pipeline) == before
    assert pipeline.options == PredictOptions()


def test_another_class_is_explained_while_paused_and_nothing_else_changes(play, portrait):
    keys = [1, "space", 2, "e", 3, "x", 4, "h", 5, "q"]
    session, window, _ = play(film([portrait, portrait], fps=10.0), keys=keys)
    (face,) = session.last.result.faces
    assert face.label == "happiness"
    assert face.heatmap is None
    assert face.track == 1
    assert len({image.tobytes() for image in window.shown}) >= 4


class StoppedDetector:
    """Detects nothing, and from its second frame on it waits until `go` is set."""

    def __init__(self, go: threading.Event) -> None:
        self.go, self.frames = go, 0

    def __call__(self, frames: Sequence[np.ndarray]) -> list[list[Face]]:
        self.frames += 1
        if self.frames > 1:
            assert self.go.wait(PATIENCE_S), "the window waits for the frame under way"
        return [[] for _ in frames]

    def close(self) -> None:
        pass


def test_keys_are_answered_while_a_frame_is_under_way(play, parts, clock):
    window = FakeWindow([1, "b", 2, "?", 3, "q"], clock)
    pipeline = EmotionPipeline(StoppedDetector(window.gone), parts[1])
    _, _, presented = play(clip(50), keys=[], window=window, pipeline=pipeline)
    assert window.events == ["show", "b", "show", "?", "show", "q"]
    assert len(presented) == 1


def test_mirror_turns_the_paused_picture_and_those_under_way(play):
    session, window, presented = play(clip(3, fps=None), keys=[1, "m", 2, "space", 4, "space", 6, "space"])
    assert session.presented == 3
    left_is_brighter = [int(image[40, 20, 0]) > int(image[40, 100, 0]) for image in window.shown]
    assert left_is_brighter[0]
    assert not any(left_is_brighter[1:])  # from the key on
    assert presented[-1].image_rgb[0, 0, 0] < presented[-1].image_rgb[0, -1, 0]


def test_snapshots_and_recordings_land_on_disk(play, tmp_path):
    _, window, _ = play(clip(60), keys=[1, "s", "r"])
    assert window.closed
    assert len(list((tmp_path / "snapshots").glob("*.png"))) == 1
    (recording,) = (tmp_path / "recordings").glob("*.mp4")
    assert recording.stat().st_size > 0


def test_a_picture_that_stands_is_recorded(play, portrait, tmp_path):
    picture = Frame(portrait, 0.0, 0, "portrait", Path("portrait.png"), still=True)
    play(FileSource("a picture", iter([picture]), fps=None, stills=True), keys=[1, "r", "space"])
    (film,) = (tmp_path / "recordings").iterdir()
    with av.open(str(film)) as opened:
        assert len(list(opened.decode(video=0))) >= 1


def test_the_notice_says_that_a_recording_runs(play, monkeypatch):
    told = []
    monkeypatch.setattr(module, "wait_for_consent", lambda *args, ratio, **_: told.append((args[1], ratio)) or True)
    play(clip(40), keys=[1, "n", "r", 3, "n"])
    told, ratios = zip(*told, strict=True)
    assert [what_is_kept(options) for options in told] == [NOTHING_KEPT, "Kept on this machine: a recording."]
    assert set(ratios) == {160 / 120}  # the window keeps its shape


def test_keys_that_find_no_room_in_the_picture_are_printed(play, capsys):
    play(clip(6), keys=[1, "?"])
    printed = capsys.readouterr().err
    assert all(f"{key}: {meaning}" in printed for key, meaning in KEYS)


def test_a_snapshot_that_cannot_be_written_does_not_end_the_session(play, tmp_path, capsys):
    (tmp_path / "snapshots").write_text("a file where a folder should be")
    session, *_ = play(clip(8), keys=[1, "s"])
    assert session.presented == 8
    assert "cannot" in capsys.readouterr().err


def test_pictures_wait_for_the_space_bar_and_have_no_tracks(play, portrait):
    frames = [Frame(portrait, 0.0, index, f"picture {index}") for index in range(3)]
    source = FileSource("pictures", iter(frames), stills=True)
    session, window, presented = play(source, keys=[1, "space", 3, "space", 5, "space"])
    assert [frame.index for frame in presented] == [0, 1, 2]
    assert window.events[:6] == ["show", "space", "show", "show", "space", "show"]
    assert session.last.result.faces[0].track == 0


def mixed(portrait, *, end: bool = True) -> FileSource:
    """A picture, a film of four frames at 10 a second with a note on its way; end: a broken picture, another one."""
    scene = [Path(name) for name in ("1.png", "2.mp4", "3.png", "4.png")]

    def frames() -> Iterator[Frame | Skipped | str]:
        yield Frame(portrait, 0.0, 0, "1.png", scene[0], still=True)
        for index in range(4):
            yield Frame(np.roll(portrait, index, axis=1), index / 10, index, "2.mp4", scene[1])
            if index == 1:
                yield "this film is plain red"
        if not end:
            return
        yield Skipped("3.png", 1, "no picture", path=scene[2])
        yield Frame(portrait, 0.0, 2, "4.png", scene[3], still=True)

    return FileSource("a folder", frames(), count=7)


@pytest.mark.parametrize("batch", [1, 4, 8])
def test_pictures_and_films_in_one_folder(play, portrait, tmp_path, monkeypatch, capsys, batch):
    monkeypatch.setitem(module.FILE_BATCH, "cpu", batch)
    _, _, presented = play(mixed(portrait), log="out.jsonl", quiet=True)
    assert [(frame.name, frame.index) for frame in presented] == [
        ("1.png", 0), ("2.mp4", 0), ("2.mp4", 1), ("2.mp4", 2), ("2.mp4", 3), ("4.png", 2),
    ]  # fmt: skip
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    tracks = [row["track"] for row in rows if row["face"] is not None]
    assert tracks == [None, 1, 1, 1, 1, None]  # pictures have none
    told = capsys.readouterr().err.splitlines()
    assert told.count("this film is plain red") == 1
    assert "1 of 7 pictures and frames, in 1 file, could not be read" in told


def test_what_was_done_is_said_also_where_the_report_cannot_be_written(play, portrait, tmp_path, capsys):
    (tmp_path / "seen").write_text("a file, and no folder")
    with pytest.raises(UserError):
        play(mixed(portrait), report="seen", quiet=True)
    *_, unread, rate = capsys.readouterr().err.splitlines()
    assert unread == "1 of 7 pictures and frames, in 1 file, could not be read"
    assert rate.startswith("6 frames in ")


def test_in_a_window_pictures_wait_and_films_play(play, clock, portrait):
    started_s = clock.now_s
    _, window, presented = play(mixed(portrait, end=False), keys=[1, "space"])
    assert len(presented) == 5
    assert clock.now_s - started_s >= 0.3  # the film's own time
    assert window.events[:2] == ["show", "space"]


@pytest.mark.thorough
def test_a_gap_in_a_films_times_holds_the_window_for_a_minute_at_most(play, clock, portrait):
    started_s = clock.now_s
    times_s = (0.0, 0.1, 3600.1, 3600.3)
    frames = (Frame(portrait, time_s, i, "a film") for i, time_s in enumerate(times_s))
    *_, presented = play(FileSource("a film", frames), keys=[])
    assert [frame.time_s for frame in presented] == list(times_s)
    assert 60.3 <= clock.now_s - started_s < 70  # and after it the film goes on at its own speed


def test_a_film_that_follows_another_begins_at_once_whatever_its_first_time(play, clock, portrait):
    started_s = clock.now_s
    times_s = {"a.mp4": (0.0, 0.1), "b.mp4": (30.0, 30.1)}
    frames = [
        Frame(portrait, time_s, i, name, Path(name)) for name in times_s for i, time_s in enumerate(times_s[name])
    ]
    *_, presented = play(FileSource("a folder", iter(frames)), keys=[])
    assert len(presented) == 4
    assert 0.2 <= clock.now_s - started_s < 15


def test_a_stop_that_is_requested_ends_it_between_two_frames(play, tmp_path):
    asked = iter([False] * 6)
    _, _, presented = play(clip(500), stop_requested=lambda: next(asked, None) is not False, log="out.csv")
    assert 1 <= len(presented) <= 8
    assert (tmp_path / "out.csv").exists()
    _, window, presented = play(clip(500), keys=[], stop_requested=lambda: True)
    assert len(presented) <= 1
    assert window.closed


def test_what_cuts_something_is_said_once(play, parts, portrait, capsys):
    detector = RetinaFace(parts[0].engine, max_faces=1, imgsz=256)
    wide = np.concatenate([portrait, portrait], axis=1)
    play(film([wide, wide, wide], fps=25.0), pipeline=EmotionPipeline(detector, parts[1]), quiet=True)
    told = capsys.readouterr().err.splitlines()
    assert told.count("a film: 1 of 2 faces; --max-faces") == 1
    assert told.count("a film: searched at 256 of 1024 px; --imgsz") == 1


def test_t_writes_the_report_of_the_session_so_far(play, portrait, tmp_path, capsys):
    _, window, _ = play(film([portrait] * 6, fps=10.0), keys=[3, "t"])
    (page,) = (tmp_path / "reports").glob("*/index.html")
    assert str(page.parent.relative_to(tmp_path)) in capsys.readouterr().err
    assert len(window.shown) >= 6


def test_a_camera_that_nobody_watches_says_how_it_ends(play, clock, capsys):
    play(Camera("FF", clock))
    assert "Ctrl-C" in capsys.readouterr().err
    play(Camera("FF", clock), keys=[])
    camera = Camera("FF", clock)
    camera.max_frames = 2
    play(camera)
    assert "Ctrl-C" not in capsys.readouterr().err


class Camera(FrameSource):
    """Live; plays a script of frames ("F") and silences of 0.1 s (".") that the session notices.

    window: no silence begins before this has shown the first frame.
    """

    live = True

    def __init__(self, script: str, clock: Clock, window: FakeWindow | None = None) -> None:
        super().__init__("a camera")
        self._window = window
        self._script, self._clock, self.started_s = itertools.chain(script, itertools.repeat("E")), clock, clock()
        self.times_s: list[float] = []

    def _next(self, timeout_s: float) -> Frame | None:
        what = next(self._script)
        if what == "E":
            self.close()
        if what == ".":
            wait_until(lambda: not self._window or len(self._window.shown) > 0)
            self._clock.pass_noticed(0.1)
        if what != "F":
            return None
        self.times_s.append(self._clock() - self.started_s)
        return Frame(np.full(SIZE, 80, np.uint8), self.times_s[-1], self._given, "camera")


def test_an_absence_is_printed_once_and_the_next_one_again(play, clock, monkeypatch, capsys):
    monkeypatch.setattr(module, "AWAY_S", 0.1)
    monkeypatch.setattr(module, "MESSAGE_S", 0.05)  # the message leaves the screen at once, and comes back there
    window = FakeWindow([], clock)
    session, *_ = play(Camera("F....F....F", clock, window), keys=[], window=window)
    assert session.presented == 3
    assert capsys.readouterr().err.count("waiting for it") == 2
    assert len(window.shown) > 3  # the last frame again, with the message on it
    assert session.feed.options.mirror  # a camera is a mirror unless told otherwise


def test_a_slow_machine_is_not_taken_for_an_absent_camera(play, parts, clock, monkeypatch, capsys):
    class SlowDetector(StoppedDetector):
        def __call__(self, frames):
            clock.pass_noticed(0.3)
            return [[] for _ in frames]

    monkeypatch.setattr(module, "AWAY_S", 0.1)
    pipeline = EmotionPipeline(SlowDetector(threading.Event()), parts[1])
    play(Camera("F" * 4, clock), keys=[], pipeline=pipeline)
    assert "waiting for it" not in capsys.readouterr().err


def test_a_recording_keeps_the_times_of_a_camera_that_was_away(play, clock, tmp_path):
    camera = Camera("FF..............F", clock)
    play(camera, keys=[], save="out.mp4", mirror=False)
    assert camera.times_s[-1] - camera.times_s[0] >= 1.4
    with av.open(str(tmp_path / "out.mp4")) as film:
        times_s = [frame.time for frame in film.decode(video=0)]
    assert np.diff(times_s) == pytest.approx(np.diff(camera.times_s), abs=0.002)


def test_log_and_lines_say_what_the_pipeline_said(play, tmp_path, portrait, capsys, parts):
    play(film([portrait, portrait], fps=2.0), log="out.csv")
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [row["frame"] for row in rows] == ["0", "1"]
    assert {row["track"] for row in rows} == {"1"}
    result = EmotionPipeline(*parts, options=PredictOptions(explainer=None))([portrait])[0].faces[0]
    assert rows[0]["label"] == result.label
    assert float(rows[0]["p_happiness"]) == pytest.approx(result.probabilities[1], abs=1e-4)
    assert float(rows[0]["x1"]) == pytest.approx(result.box_xyxy[0], abs=0.06)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "person 1  looks like happiness" in lines[0]
    play(film([portrait], fps=30.0), quiet=True)
    assert capsys.readouterr().out == ""


def test_a_file_that_nobody_watches_goes_in_batches_to_the_same_end(play, portrait, tmp_path, monkeypatch):
    """The same rows of the log and the same recording, frame by frame or five at a time, mirrored too."""
    frames = [np.roll(portrait, 4 * i, axis=1) for i in range(12)]
    outcome = {}
    for batch in (1, 5):
        monkeypatch.setitem(module.FILE_BATCH, "cpu", batch)
        play(film(frames, fps=25.0), log=f"{batch}.jsonl", save=f"{batch}.avi", mirror=True, quiet=True)
        outcome[batch] = [(tmp_path / f"{batch}.{kind}").read_bytes() for kind in ("jsonl", "avi")]
    rows = [[json.loads(line) for line in outcome[batch][0].splitlines()] for batch in (1, 5)]
    assert sorted({row["frame"] for row in rows[0]}) == list(range(12))
    for one, other in zip(*rows, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert other[name] == (value if isinstance(value, str) else pytest.approx(value, abs=2e-4))
    assert len(outcome[1][1]) == pytest.approx(len(outcome[5][1]), rel=0.01)


def test_blur_hides_faces_in_all_that_is_kept_and_not_from_who_watches(play, parts, portrait, tmp_path):
    """A detector finds the face in the window's picture and in no file; heat on a blur may look like a mouth."""
    flags = {"blur": True, "save": "seen/", "report": "report"}
    source = film([portrait[:400, :400]] * 3, fps=25)
    without_heat = EmotionPipeline(*parts, options=PredictOptions(explainer=None))
    _, window, _ = play(source, keys=[2, "s", "q"], pipeline=without_heat, **flags)
    (snapshot,) = (tmp_path / "snapshots").glob("*.png")
    (recording,) = (tmp_path / "seen").glob("*.mp4")
    with av.open(str(recording)) as file:
        kept = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    kept.append(read_picture(snapshot))
    detector, _ = parts
    assert [len(faces) for faces in detector(kept)] == [0] * len(kept)
    assert len(kept) >= 2
    assert len(detector([window.shown[0]])[0]) == 1


class Misses:
    """A detector that finds the faces of the first two frames only."""

    def __init__(self, detector: RetinaFace) -> None:
        self._detector, self.found = detector, []

    def __call__(self, frames: Sequence[np.ndarray], **options: Any) -> list[Faces]:
        for frame in frames:
            self.found += self._detector([frame]) if len(self.found) < 2 else [Faces()]
        return self.found[-len(frames) :]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)


def test_a_snapshot_is_blurred_where_a_face_was_missed_for_a_moment(play, parts, portrait, tmp_path):
    detector, frame = Misses(parts[0]), portrait[:400, :400]
    pipeline = EmotionPipeline(detector, parts[1], options=PredictOptions(explainer=None))
    play(film([frame] * 8, fps=25), keys=[4, "b", "s", "q"], pipeline=pipeline, blur=True)
    (snapshot,) = (tmp_path / "snapshots").glob("*.png")
    head = around(detector.found[0][0].box_xyxy)
    assert (head.view(read_picture(snapshot)) == head.view(frame)).mean() < 0.05


class OneSided:
    """A detector that finds a face only in the left half."""

    def __init__(self, detector: RetinaFace) -> None:
        self._detector = detector

    def __call__(self, frames: Sequence[np.ndarray], **options: Any) -> list[Faces]:
        found = self._detector(frames, **options)
        return [
            Faces([face for face in faces if face.box_xyxy[0] < frame.shape[1] / 2 - face.size])
            for frame, faces in zip(frames, found, strict=True)
        ]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)


def test_a_face_of_a_picture_that_is_missed_in_its_mirror_image_stays_blurred(play, parts, portrait, tmp_path):
    image = np.full((400, 900, 3), 128, np.uint8)
    image[:, :400] = portrait[:400, :400]
    detector = OneSided(parts[0])
    ((face,),) = detector([image])
    assert detector([image[:, ::-1].copy()]) == [[]]
    picture = Frame(image, 0.0, 0, "a", Path("a.png"), still=True)
    source = FileSource("a picture", iter([picture]), fps=None, stills=True)
    pipeline = EmotionPipeline(detector, parts[1], options=PredictOptions(explainer=None))
    play(source, keys=[1, "b", "m", "s", 3, "space"], pipeline=pipeline, blur=True)
    (snapshot,) = (tmp_path / "snapshots").glob("*.png")
    head = around(face.box_xyxy)
    assert (head.view(read_picture(snapshot)[:, ::-1]) == head.view(image)).mean() < 0.05


def test_a_face_of_a_film_that_is_missed_when_m_is_pressed_stays_blurred_on_the_other_side(
    play, parts, portrait, tmp_path
):
    image = np.full((400, 900, 3), 128, np.uint8)
    image[:, :400] = portrait[:400, :400]
    detector = Misses(parts[0])
    pipeline = EmotionPipeline(detector, parts[1], options=PredictOptions(explainer=None))
    play(film([image] * 20, fps=25), keys=[4, "b", "m", 8, "s", "q"], pipeline=pipeline, blur=True, mirror=False)
    (snapshot,) = (tmp_path / "snapshots").glob("*.png")
    kept = read_picture(snapshot)[:, ::-1]
    assert (kept == image).mean() > 0.5  # it is the mirror image
    head = around(detector.found[0][0].box_xyxy)
    assert (head.view(kept) == head.view(image)).mean() < 0.05


def test_blur_hides_faces_beyond_max_faces_too(play, parts, portrait, tmp_path):
    image = np.tile(cv2.resize(portrait[:400, :400], (200, 200)), (1, 3, 1))
    found = parts[0]([image])[0]
    assert len(found) == 3
    detector = RetinaFace(parts[0].engine, max_faces=1)
    pipeline = EmotionPipeline(detector, parts[1], options=PredictOptions(explainer=None))
    play(film([image] * 2, fps=25), pipeline=pipeline, blur=True, save="seen/")
    (recording,) = (tmp_path / "seen").glob("*.mp4")
    with av.open(str(recording)) as file:
        kept = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert [len(faces) for faces in parts[0](kept)] == [0] * len(kept)


def test_a_face_of_a_picture_does_not_blur_the_film_that_follows(play, parts, portrait, tmp_path):
    def frames() -> Iterator[Frame]:
        yield Frame(portrait[:400, :400], 0.0, 0, "a.png", Path("a.png"), still=True)
        for i in range(3):
            yield Frame(stripes, i / 25, i, "b.mp4", Path("b.mp4"))

    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::20] = stripes[:, 1::20] = 255
    source = FileSource("a folder", frames(), fps=25)
    pipeline = EmotionPipeline(*parts, options=PredictOptions(explainer=None))
    play(source, pipeline=pipeline, blur=True, save="seen/")
    (recording,) = (tmp_path / "seen").glob("*.mp4")
    with av.open(str(recording)) as file:
        first = next(file.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(first[50:350].astype(int) - stripes[50:350]).mean() < 10


def test_the_list_of_keys_is_not_in_what_is_kept(play, portrait, tmp_path):
    picture = Frame(portrait, 0.0, 0, "portrait", Path("portrait.png"), still=True)
    source = FileSource("a picture", iter([picture]), fps=None, stills=True)
    _, window, _ = play(source, keys=[1, "s", "?", 3, "s", "space"])
    first, second = (read_picture(path) for path in sorted((tmp_path / "snapshots").glob("*.png")))
    assert (first == second).all()
    assert (window.shown[-1] != second).mean() > 0.1


def test_space_twice_before_the_next_picture_holds_nothing(play, clock):
    window = FakeWindow([1, "space", "space"], clock)

    def pictures() -> Iterator[Frame]:
        for i in range(2):
            wait_until(lambda pressed=2 * i: window.events.count("space") >= pressed)
            image = np.zeros((96, 128 + 32 * i, 3), np.uint8)
            yield Frame(image, 0.0, i, f"{i}", Path(f"{i}.png"), still=True)

    def second_is_shown() -> bool:
        return bool(window.shown) and window.shown[-1].shape[1] == 160

    source = FileSource("pictures", pictures(), fps=None, stills=True)
    play(source, keys=[], window=window, stop_requested=second_is_shown)
    assert second_is_shown()


def test_blur_without_a_window(play, parts, portrait, tmp_path):
    source = film([portrait[:400, :400]] * 2, fps=25)
    without_heat = EmotionPipeline(*parts, options=PredictOptions(explainer=None))
    play(source, blur=True, save="seen.mp4", pipeline=without_heat)
    with av.open(str(tmp_path / "seen.mp4")) as file:
        kept = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert [len(faces) for faces in parts[0](kept)] == [0, 0]


def test_n_shows_the_notice_until_a_key_is_pressed_and_q_there_ends_it(play):
    session, window, presented = play(clip(400), keys=[2, "n", "a", 6, "n", "q"])
    notices = [i for i, picture in enumerate(window.shown) if picture.shape != SIZE]
    assert len(notices) == 2
    assert notices[0] < len(window.shown) - 1 == notices[1]
    assert session.stopped
    assert 2 <= len(presented) < 400


def test_messages_are_on_the_screen_and_not_in_what_is_kept(play, portrait, tmp_path):
    picture = Frame(portrait, 0.0, 0, "portrait", Path("portrait.png"), still=True)
    source = FileSource("a picture", iter([picture]), fps=None, stills=True)
    _, window, _ = play(source, keys=[1, "s", 2, "s", "space"], save="seen/")
    first, second = (read_picture(path) for path in sorted((tmp_path / "snapshots").glob("*.png")))
    assert (first == second).all()
    assert (window.shown[1] != first).any()  # "saved ..."


def test_the_mark_of_a_pause_is_not_in_what_is_kept(play, portrait, tmp_path):
    _, window, _ = play(film([portrait] * 3, fps=10.0), keys=[1, "space", 2, "s", "q"])
    (snapshot,) = (tmp_path / "snapshots").glob("*.png")
    playing, paused, *_ = window.shown
    assert (paused != playing).any()
    np.testing.assert_array_equal(read_picture(snapshot), playing)


def test_a_camera_s_recording_begun_in_a_pause_begins_with_what_follows_it(play, clock, tmp_path):
    """Neither with the picture that stands nor with one that waited behind it: they would last as long as the pause."""
    keys = [2, "space", "r", *["other"] * 200, "space"]
    camera = Camera("F" * 60, clock)
    play(camera, keys=keys, mirror=False)
    assert max(np.diff(camera.times_s)) > 1.5
    (recording,) = (tmp_path / "recordings").iterdir()
    with av.open(str(recording)) as film:
        times_s = [frame.time for frame in film.decode(video=0)]
    assert len(times_s) > 40
    assert max(np.diff(times_s)) < 1
    assert np.diff(times_s) == pytest.approx(np.diff(camera.times_s[-len(times_s) :]), abs=0.002)


def test_a_recording_without_a_frame_is_not_called_complete(play, clock, tmp_path, capsys):
    play(Camera("F" * 20, clock), keys=[2, "space", "r", "r", "space"], mirror=False)
    assert list(tmp_path.rglob("*.mp4")) == []
    said = capsys.readouterr().err
    assert "nothing was recorded yet" in said
    assert "complete" not in said


@pytest.mark.parametrize(("keys", "explainer", "explained"), [("e", "gradcam", True), ("x", "gradcam++", False),
                                                              ("exh", None, True)])  # fmt: skip
def test_keys_about_heatmaps_switch_them_on(play, parts, keys, explainer, explained):
    pipeline = EmotionPipeline(*parts, options=PredictOptions(explainer=None))
    predict = play(clip(40), keys=[*keys], pipeline=pipeline)[0].feed.options.predict
    assert predict.explainer == explainer
    assert predict.explain_class == (parts[1].class_names[0] if explained else None)
