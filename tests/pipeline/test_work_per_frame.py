"""The work of a frame, counted: it must not creep up. Time is measured by `python -m evaluation.speed`, not here.

The live loop runs as in live.py, with threads, before five faces.
"""

from __future__ import annotations

import collections
import gc
import itertools
import tracemalloc
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from evaluation.speed.live_loop import NoScreen
from evaluation.speed.synthetic_video import synthetic_video, video_source
from models.classifier import Classifier
from pipeline.drawing.overlay import Overlay, Status
from pipeline.live.session import Session
from pipeline.options import SessionOptions
from pipeline.output.window import RateMeter
from pipeline.run import EmotionPipeline
from pipeline.tracking import Tracker
from retinaface.detector import RetinaFace
from support.onnx.session import OnnxSession

FACES, FRAMES = 5, 8
SIZE_HW = (480, 640)
LARGEST_CROP = 4 * 64  # pixels a side; smaller pictures are not frames


@pytest.fixture(scope="module", params=["onnx", "torch"])
def pipeline(request) -> EmotionPipeline:
    if request.param == "onnx":
        pytest.importorskip("onnxruntime")
    return EmotionPipeline(
        RetinaFace.from_file(engine=request.param, threads=1), Classifier.from_file(engine=request.param, threads=1)
    )


@pytest.fixture(scope="module")
def video() -> list[np.ndarray]:
    return synthetic_video(FACES, SIZE_HW, frames=4)


def play(
    pipeline: EmotionPipeline,
    video: list[np.ndarray],
    *,
    frames: int,
    look: Callable[[int], None] = lambda number: None,
) -> None:
    """live.py's loop over so many frames, each presented; `look` is called with the number of each."""
    source = video_source(video, live=True)
    source.max_frames = frames
    with Session(SessionOptions(show=False, quiet=True), source, pipeline, "cpu") as session:
        session.window = NoScreen()
        session.rate = RateMeter(clock=itertools.count().__next__)  # one frame a second: it always holds two ticks
        for number, analysed in enumerate(session.results()):
            assert len(analysed.result.faces) == FACES
            assert all(face.heatmap is not None for face in analysed.result.faces)
            session.present(analysed, session.draw(analysed))
            look(number)
    assert session.presented == frames


@pytest.fixture
def passes(pipeline, monkeypatch) -> Iterator[list[tuple[str, int]]]:
    """("detector" or "classifier", rows) of every forward pass."""
    seen: list[tuple[str, int]] = []
    detector, classifier = pipeline.detector.engine, pipeline.classifier.engine
    if hasattr(classifier, "session"):
        run = OnnxSession.__call__

        def count(session, values):
            seen.append(("classifier" if session is classifier.session else "detector", len(values)))
            return run(session, values)

        monkeypatch.setattr(OnnxSession, "__call__", count)
        yield seen
        return
    hooks = [
        engine.network.register_forward_hook(lambda module, given, out, name=name: seen.append((name, len(given[0]))))
        for name, engine in (("detector", detector), ("classifier", classifier))
    ]
    yield seen
    for hook in hooks:
        hook.remove()


def test_one_pass_detects_all_faces_and_one_predicts_and_explains_them(pipeline, video, passes):
    play(pipeline, video, frames=FRAMES)
    assert collections.Counter(passes) == {("detector", 1): FRAMES, ("classifier", FACES): FRAMES}


@pytest.mark.parametrize(("size_hw", "most"), [(SIZE_HW, 3), ((720, 1280), 3.25)])
def test_no_more_pixels_are_converted_mirrored_and_resized_than_must_be(pipeline, monkeypatch, size_hw, most):
    """In frames: to RGB when one comes, mirrored, to BGR when it goes; and a large one is reduced to 640 pixels."""
    video, pixels = synthetic_video(FACES, size_hw, frames=2), [0]

    def count(function):
        def call(*args, **kwargs):
            picture = function(*args, **kwargs)
            if picture.ndim == 3 and len(picture) > LARGEST_CROP:
                pixels[0] += picture.shape[0] * picture.shape[1]
            return picture

        return call

    for name in ("cvtColor", "flip", "resize", "warpAffine"):
        monkeypatch.setattr(cv2, name, count(getattr(cv2, name)))
    play(pipeline, video, frames=FRAMES)
    frames = pixels[0] / (size_hw[0] * size_hw[1]) - len(video)  # those of the video itself
    assert frames <= most * FRAMES


def test_a_frame_is_copied_once_to_be_painted_on(pipeline):
    """Peaks of memory in frames of 1280x720: less than 1 holds no copy of the frame, less than 2 one."""
    (frame,) = synthetic_video(FACES, (720, 1280), frames=1)
    pipeline = EmotionPipeline(pipeline.detector, pipeline.classifier, tracker=Tracker())
    overlay = Overlay()

    def peak(action):
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        result = action()
        return result, (tracemalloc.get_traced_memory()[1] - before) / frame.nbytes

    tracemalloc.start()
    try:
        for number in range(3):
            faces, detecting = peak(lambda: pipeline.detect([frame]))
            (result,), predicting = peak(
                lambda faces=faces, time_s=number / 30: pipeline.predict([frame], faces, time_s=time_s)
            )
            _, drawing = peak(lambda result=result: overlay.draw(result, status=Status(fps=30.0)))
    finally:
        tracemalloc.stop()
    assert detecting < 0.5  # the reduced frame is a quarter
    assert predicting < 0.5
    assert 1 <= drawing < 1.5


def census() -> tuple[int, int]:
    """How many objects the collector knows, and how many entries their lists, dicts, sets and deques have."""
    gc.collect()
    objects = gc.get_objects()
    return len(objects), sum(len(thing) for thing in objects if type(thing) in (list, dict, set, collections.deque))


@pytest.mark.long
@pytest.mark.thorough
def test_nothing_grows_from_frame_to_frame():
    pipeline = EmotionPipeline(RetinaFace.from_file(threads=1), Classifier.from_file(threads=1))
    early, late = range(40, 45), range(120, 125)
    counts = dict.fromkeys((*early, *late), (0, 0))

    def look(number: int) -> None:
        if number in counts:
            counts[number] = census()

    play(pipeline, synthetic_video(FACES, (240, 320), frames=4), frames=126, look=look)
    # The least of five frames: what is under way in the threads comes and goes.
    before, after = (np.min([counts[number] for number in numbers], axis=0) for numbers in (early, late))
    assert (after - before < 40).all(), "objects or entries grow: by one in two frames, or faster"
