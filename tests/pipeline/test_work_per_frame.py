"""The work of a frame, counted: it must not creep up. Time is measured by `python -m evaluation.speed`, not here.

The live loop runs as in live.py, with threads, before five faces; what it calls is counted.
"""

from __future__ import annotations

import collections
import gc
import itertools
import tracemalloc

import cv2
import numpy as np
import pytest

from evaluation.speed.live_loop import Flags, NoScreen, ReadySource
from evaluation.speed.synthetic_video import crowd_film
from models.classifier import Classifier
from pipeline.drawing.overlay import Overlay, Status
from pipeline.live.session import Session
from pipeline.output.window import RateMeter
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker
from retinaface.anchors import anchors_for
from retinaface.detector import RetinaFace
from retinaface.onnx_engine import OnnxEngine
from support.onnx.session import OnnxSession

FACES, FRAMES = 5, 8
SIZE_HW = (480, 640)


@pytest.fixture(scope="module", params=["onnx", "torch"])
def pipeline(request) -> EmotionPipeline:
    if request.param == "onnx":
        pytest.importorskip("onnxruntime")
    return EmotionPipeline(
        RetinaFace.from_file(engine=request.param, threads=1), Classifier.from_file(engine=request.param)
    )


@pytest.fixture(scope="module")
def film() -> list[np.ndarray]:
    return crowd_film(FACES, SIZE_HW, frames=4)


def sit(pipeline: EmotionPipeline, film: list[np.ndarray], *, frames: int, look=lambda number: None) -> None:
    """live.py's loop over so many frames, each presented; `look` is called with the number of each."""
    source = ReadySource(film)
    source.max_frames = frames
    with Session(Flags(show=False), source, pipeline, "cpu") as session:
        session.window = NoScreen()
        session.rate = RateMeter(clock=itertools.count().__next__)  # one frame a second: it always holds two ticks
        for number, seen in enumerate(session.results()):
            assert len(seen.result.faces) == FACES
            assert all(face.heatmap is not None for face in seen.result.faces)
            session.present(seen)
            look(number)
    assert session.written == frames


@pytest.fixture
def passes(pipeline, monkeypatch) -> list[tuple[str, int]]:
    """("detector" or "classifier", rows) of every forward pass."""
    seen: list[tuple[str, int]] = []
    detector, classifier = pipeline.detector.engine, pipeline.classifier.engine
    if isinstance(detector, OnnxEngine):
        run = OnnxSession.__call__

        def counted(session, values):
            seen.append(("classifier" if session is classifier.session else "detector", len(values)))
            return run(session, values)

        monkeypatch.setattr(OnnxSession, "__call__", counted)
        yield seen
        return
    hooks = [
        engine.network.register_forward_hook(lambda module, given, out, name=name: seen.append((name, len(given[0]))))
        for name, engine in (("detector", detector), ("classifier", classifier))
    ]
    yield seen
    for hook in hooks:
        hook.remove()


def test_one_pass_finds_all_faces_and_one_reads_and_explains_them(pipeline, film, passes):
    sit(pipeline, film, frames=FRAMES)
    assert collections.Counter(passes) == {("detector", 1): FRAMES, ("classifier", FACES): FRAMES}


def counted_calls(monkeypatch, *names: str) -> collections.Counter:
    """How often functions of `cv2` are called from now on."""
    calls: collections.Counter = collections.Counter()

    def counted(name, function):
        def call(*args, **kwargs):
            calls[name] += 1
            return function(*args, **kwargs)

        return call

    for name in names:
        monkeypatch.setattr(cv2, name, counted(name, getattr(cv2, name)))
    return calls


@pytest.mark.parametrize(("size_hw", "reduced"), [((480, 640), 0), ((720, 1280), 1)])
def test_pictures_are_turned_and_resized_no_oftener_than_they_must(pipeline, monkeypatch, size_hw, reduced):
    film = crowd_film(FACES, size_hw, frames=2)
    calls = counted_calls(monkeypatch, "cvtColor", "flip", "resize", "warpAffine")
    sit(pipeline, film, frames=FRAMES)
    assert calls["cvtColor"] - len(film) <= 2 * FRAMES  # to RGB when it comes, to BGR when it goes; the film's are made
    assert calls["flip"] <= FRAMES  # as a mirror
    assert calls["resize"] <= (reduced + FACES) * FRAMES  # a large frame for the search; a crop that was sampled finely
    assert calls["warpAffine"] <= 2 * FACES * FRAMES  # crops from the frame, heat back into it


def test_a_frame_is_copied_once_to_be_painted_on(pipeline):
    """Peaks of memory in frames of 1280x720: less than 1 holds no copy of the frame, less than 2 one."""
    (frame,) = crowd_film(FACES, (720, 1280), frames=1)
    pipeline.tracker, overlay = Tracker(), Overlay()

    def peak(action):
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        result = action()
        return result, (tracemalloc.get_traced_memory()[1] - before) / frame.nbytes

    tracemalloc.start()
    try:
        for number in range(3):
            found, finding = peak(lambda: pipeline.find([frame]))
            (result,), reading = peak(
                lambda found=found, time_s=number / 30: pipeline.read([frame], found, time_s=time_s)
            )
            _, drawing = peak(lambda result=result: overlay.draw(result, status=Status(fps=30.0)))
    finally:
        tracemalloc.stop()
    assert finding < 0.5  # the reduced frame is a quarter
    assert reading < 0.5
    assert 1 <= drawing < 1.5


def test_anchors_are_made_once_a_size(pipeline):
    anchors_for.cache_clear()
    for size_hw in ((240, 320), SIZE_HW, (240, 320)):
        sit(pipeline, crowd_film(FACES, size_hw, frames=1), frames=3)
    assert anchors_for.cache_info().misses == 2
    assert anchors_for.cache_info().hits == 7


def census() -> tuple[int, int]:
    """How many objects the collector knows, and how many entries their lists, dicts, sets and deques have."""
    gc.collect()
    objects = gc.get_objects()
    return len(objects), sum(len(thing) for thing in objects if type(thing) in (list, dict, set, collections.deque))


def test_nothing_grows_from_frame_to_frame():
    pipeline = EmotionPipeline(RetinaFace.from_file(threads=1), Classifier.from_file())
    early, late = range(40, 45), range(120, 125)
    counts = dict.fromkeys((*early, *late), (0, 0))

    def look(number: int) -> None:
        if number in counts:
            counts[number] = census()

    sit(pipeline, crowd_film(FACES, (240, 320), frames=4), frames=126, look=look)
    # The least of five frames: what is on its way in the threads comes and goes.
    before, after = (np.min([counts[number] for number in numbers], axis=0) for numbers in (early, late))
    assert (after - before < 40).all(), "objects or entries grow: by one in two frames, or faster"
