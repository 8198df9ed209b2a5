"""Expressions of the faces in front of a camera, predicted and explained: python live.py

In:  frames from a camera, films, pictures, a stream or the bundled sample (--source).
Out: the same frames with boxes, labels, bars and heatmaps in a window; on request recordings (--save), a table of every
     prediction (--log), the faces (--crops), a page that sums up (--report); one line a prediction on stdout,
     everything else on stderr. Exit code 130 after Ctrl-C, with all files complete.

Nothing leaves the machine. The loop at the end of `run` is the whole program: a frame whose faces were detected,
predicted and explained comes in, an annotated frame goes out. The work before it is done in threads
(`pipeline/live/feed.py`).
"""

from __future__ import annotations

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C in the imports ends them without a traceback

import contextlib
import dataclasses
import importlib.util
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # which python -I and -P leave out
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait starve each other
os.environ.setdefault("GOMP_SPINCOUNT", "0")

from pipeline.options import AnalysisOptions, PredictOptions, SessionOptions
from retinaface.defaults import IMGSZ
from support import command, notify, pick_device, run_and_exit, setting
from support.device.choice import gpu_possible
from support.process import stop_at_once, stop_requests

if TYPE_CHECKING:
    import torch

    from data.sources.frame import FrameSource
    from pipeline.run import EmotionPipeline

SIDES = (32, 16384)  # pixels of a frame's width and height


@dataclasses.dataclass(frozen=True)
class Settings(AnalysisOptions, SessionOptions):
    """Flags of live.py: where frames come from, how they are analysed, and what a session does with the results."""

    source: str | None = setting(
        None,
        "camera number, film, picture, folder, pattern, .txt list of these, http or rtsp address, or `sample` "
        "(default: camera 0)",
    )
    width: int | None = setting(None, "width in pixels asked of the camera, or of the sample", within=SIDES)
    height: int | None = setting(None, "height in pixels asked of the camera, or of the sample", within=SIDES)
    fps: float | None = setting(None, "frames a second asked of the camera", within=(0.01, 1000))
    max_frames: int | None = setting(None, "stop after so many frames", within=(1, math.inf))
    list_cameras: bool = setting(False, "name the cameras that answer, and leave")
    device: str = setting("auto", "auto, cpu, mps, cuda or cuda:N")
    engine: str = setting(
        "auto",
        "what runs the networks: onnx is faster on a CPU, torch runs anywhere",
        choices=["auto", "torch", "onnx"],
    )
    amp: bool = setting(
        True,
        "on cuda detect in float16 and predict in bfloat16 where that is faster and gives the same results; what "
        "--log and --report keep is computed in float32",
    )
    detector: str = setting("ours", "what detects faces", choices=["ours", "batch-face"])
    explainer: str | None = setting(
        PredictOptions.explainer, "what makes the heatmaps; `none` for no heatmaps", metavar="NAME"
    )
    explain_class: str | None = setting(None, "class the heatmaps are for (default: each face's label)", metavar="NAME")


def run(settings: Settings) -> int:
    """Open the source, build the pipeline, show and keep every frame; the exit code."""
    with stop_at_once():  # nothing is to be finished yet
        from data.sources.opencv_install import opencv_conflict

        if conflict := opencv_conflict():  # asked first: a broken cv2 may not import at all
            notify(conflict)

        from data.sources.open_source import list_cameras
        from pipeline.live.consent import ask
        from pipeline.live.session import Session
        from pipeline.output.targets import check_targets, leftovers

        if settings.list_cameras:
            cameras = list_cameras()
            print("\n".join(f"{index}: {width} x {height}" for index, width, height in cameras) or "no camera answers")
            return 0
        check_targets(settings, settings.source)
        if left := leftovers(settings):
            notify(f"what earlier runs left unfinished: {', '.join(map(str, left))}; look at it, then delete it.")
        if settings.ask and not ask(settings):
            return 0
        device = device_for(settings.device)
        source, pipeline = open_and_load(settings, device)
    with (
        stop_requests() as stop_requested,
        source,
        contextlib.closing(pipeline),
        Session(
            settings,
            source,
            pipeline,
            device,
            whole_pictures=settings.imgsz is None,
            stop_requested=stop_requested,
        ) as session,
    ):
        for analysed in session.results():  # frame -> faces -> crops -> probabilities -> heatmaps, in threads
            annotated = session.draw(analysed)  # a new picture; None where nobody watches or records
            session.present(analysed, annotated)  # window, recording, log, stdout
    return 0


def open_and_load(settings: Settings, device: torch.device | str) -> tuple[FrameSource, EmotionPipeline]:
    """The source and the pipeline; a thread builds this meanwhile, since macOS wants cameras opened by the main one."""
    from data.sources.open_source import open_source
    from pipeline.output.window import display_available

    with contextlib.ExitStack() as opened, ThreadPoolExecutor(max_workers=1) as executor:
        loading = executor.submit(build_pipeline, settings, device)
        source = open_source(
            settings.source,
            width=settings.width,
            height=settings.height,
            fps=settings.fps,
            max_frames=settings.max_frames,
            loop=settings.show and display_available(),  # without a viewer the sample ends after one round
        )
        opened.enter_context(source)
        pipeline = loading.result()
        opened.pop_all()
    return source, pipeline


def device_for(wanted: str) -> torch.device | str:
    """The device of the networks. torch, whose import takes seconds, is not imported where only the CPU is possible."""
    if wanted == "cpu" or (wanted == "auto" and not gpu_possible()):
        return "cpu"
    if wanted == "auto" and importlib.util.find_spec("torch") is None:
        notify("torch is not installed, so the CPU is used; a GPU needs the packages of requirements.txt (README).")
        return "cpu"
    return pick_device(wanted)


def build_pipeline(settings: Settings, device: torch.device | str) -> EmotionPipeline:
    """The detector, classifier and explainer that the flags name."""
    from pipeline.run import CAMERA_SIZES_HW, EmotionPipeline
    from support.onnx.session import available_threads

    path, conf, max_faces, imgsz = settings.detector_weights, settings.conf, settings.max_faces, settings.imgsz
    imgsz, detector = IMGSZ if imgsz is None else imgsz or None, None
    if settings.detector == "batch-face":
        from retinaface.batch_face import BatchFaceDetector

        detector = BatchFaceDetector.from_file(path, device=device, conf=conf, max_faces=max_faces, imgsz=imgsz)
    explainer = None if settings.explainer == "none" else settings.explainer
    pipeline = EmotionPipeline.from_files(
        weights=settings.weights,
        detector_weights=path,
        detector=detector,
        device=device,
        engine=settings.engine,
        threads=available_threads(),
        conf=conf,
        max_faces=max_faces,
        imgsz=imgsz,
        confidence=settings.confidence,
        prior=settings.prior,
        options=PredictOptions(explainer, settings.explain_class, settings.tta, settings.smooth_s),
    )
    asked = [(settings.height, settings.width)] if settings.height and settings.width else CAMERA_SIZES_HW
    amp = settings.amp and not (settings.log or settings.report)  # kept numbers must not depend on a speed test
    pipeline.warm_up(asked, amp=amp)  # goes on while the camera opens
    return pipeline


main = command(Settings, run, prog="live.py", doc=__doc__)

if __name__ == "__main__":
    run_and_exit(main)
